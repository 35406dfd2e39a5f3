"""What new machines are given to begin with: cloud-init takes it, and it joins the fleet under its name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from cloud_monitor.setup import SETTINGS
from cloud_monitor.system.environment_file import find_misread
from worker.machines.configuration import GroupConfig, PlaceConfig
from worker.machines.effects import rendered_user_data
from worker.machines.providers.base import ProviderRefused

ROOT = Path(__file__).parents[3]
SCHEMA = json.loads((ROOT / "tests/data/cloud_init/schema-cloud-config-v1.json").read_text())
EXAMPLES = ROOT / "docs/fleet"


def faults_of(text: str) -> list[str]:
    assert text.startswith("#cloud-config\n")
    return [fault.message for fault in jsonschema.Draft4Validator(SCHEMA).iter_errors(yaml.safe_load(text))]


def rendered(path: Path) -> str:
    place = PlaceConfig(provider="p", size="s")
    return rendered_user_data(GroupConfig(place=(place,), user_data=path, leave_idle_s=900), "f-g-a")


@pytest.mark.parametrize("name", ["cloud-init.yaml", "cloud-init-machine.yaml"])
def test_cloud_inits_own_schema_takes_the_examples(name: str) -> None:
    assert faults_of(rendered(EXAMPLES / name)) == []


@pytest.mark.parametrize("name", ["cloud-init.yaml", "cloud-init-machine.yaml"])
def test_settings_of_new_machines_read_alike_by_their_unit_and_in_a_shell(name: str) -> None:
    files = yaml.safe_load(rendered(EXAMPLES / name))["write_files"]
    (text,) = (file["content"] for file in files if file["path"] == str(SETTINGS / "worker.env"))
    assert "WORKER_AZURE_CONNECTION_STRING=" in text
    assert list(find_misread(text.encode())) == []


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("runcmd:", "runcmd: first\nelse:", "'first' is not of type 'array'"),
        ('permissions: "0600"', "permissions: 600", "600 is not of type 'string'"),
        ("- path: /etc/cloud-monitor/worker.env", "- owner: root", "'path' is a required property"),
    ],
)
def test_the_schema_refuses_what_cloud_init_would(right: str, wrong: str, said: str) -> None:
    text = rendered(EXAMPLES / "cloud-init-machine.yaml")
    assert faults_of(text.replace(right, wrong)) == [said]


def test_a_machine_joins_under_its_name_and_leaves_by_itself() -> None:
    said: dict[str, Any] = yaml.safe_load(rendered(EXAMPLES / "cloud-init-machine.yaml"))
    files = {file["path"]: file for file in said["write_files"]}
    environment = files["/etc/cloud-monitor/worker.env"]
    assert environment["permissions"] == "0600"
    assert "WORKER_HOST_NAME=f-g-a\n" in environment["content"]
    unit = files["/etc/systemd/system/cloud-monitor-worker.service.d/machine.conf"]["content"]
    assert "-m worker run --leave-idle 900\n" in unit
    assert "{" not in rendered(EXAMPLES / "cloud-init-machine.yaml")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ProviderRefused, match=f"user_data {tmp_path}/none: No such file"):
        rendered(tmp_path / "none")
