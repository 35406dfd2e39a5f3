"""What an account's quota leaves of a size; which providers there are."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from worker.commands.machines import place_text
from worker.machines.model import CloudQuota, MachineOrder, MachineSize, QuotaUse
from worker.machines.providers.base import (
    GROUP_TAG,
    NAME_TAG,
    ProviderRefused,
    open_provider,
    tagged_names,
)
from worker.machines.providers.local import environment_of
from worker.queue.machines.machines import Offer

ROOT = Path(__file__).parents[3]
SIZE = MachineSize("c4", cores=4, memory_gb=16)


def test_the_scarcest_resource_says_how_many_more_there_may_be() -> None:
    quota = CloudQuota(machines=QuotaUse(2, 10), cores=QuotaUse(8, 20), memory_gb=QuotaUse(16, 100))
    assert quota.room_for(SIZE) == 3  # 12 cores
    assert quota.used_pct == 40


def test_an_account_without_limits_says_none_and_an_overdrawn_one_says_no_more() -> None:
    assert CloudQuota().room_for(SIZE) is None
    assert CloudQuota(cores=QuotaUse(24, 20)).room_for(SIZE) == 0


def test_a_provider_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(ProviderRefused, match="provider moon: kind is 'tape'; there are openstack, ec2"):
        open_provider("tape", "moon", {}, "fleet")


@pytest.mark.parametrize(
    ("name", "group", "found"),
    [
        ("f-g-a", "g", ("f-g-a", "g")),
        (None, None, ("unnamed-i-0abc", "")),
        ("x\0'; drop", "g\n<b>", ("unnamed-i-0abc", "")),
        ("a" * 99, "G", ("unnamed-i-0abc", "")),
    ],
)
def test_a_tag_that_is_no_name_is_not_taken_for_one(
    name: str | None, group: str | None, found: tuple[str, str]
) -> None:
    assert tagged_names({NAME_TAG: name, GROUP_TAG: group}, "/subscriptions/I-0abc"[-6:]) == found
    assert tagged_names({}, "//") == ("unnamed-0", "")


def test_a_clouds_library_is_imported_for_its_provider_alone_and_named_where_it_is_missing() -> None:
    program = """
import sys
import worker.commands.machines
from worker.machines.providers.base import KINDS, MachineError, open_provider
libraries = {"openstack": "openstack", "boto3": "ec2", "azure.mgmt": "azure"}
assert not libraries.keys() & sys.modules.keys(), sys.modules.keys()
sys.modules.update(dict.fromkeys(libraries))
for kind in libraries.values():
    try:
        open_provider(kind, "moon", {}, "f")
    except MachineError as error:
        print(str(error).rpartition("; ")[2])
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    said = "install it with: pip install 'cloud-monitor[{}]'"
    assert done.stdout.splitlines() == [
        said.format(extra) for extra in ("openstack", "ec2", "azure-machines")
    ]


def test_a_machine_of_this_host_is_given_no_clouds_keys() -> None:
    environ = {
        "PATH": "/bin",
        "AWS_SECRET_ACCESS_KEY": "s3cret",
        "OS_PASSWORD": "s3cret",
        "AZURE_CLIENT_SECRET": "s3cret",
        "AZURE_STORAGE_CONNECTION_STRING": "of the images",
    }
    order = MachineOrder("f-g-a", "g", "local", environment={"WORKER_HOST_NAME": "f-g-a"})
    assert environment_of(order, environ) == {
        "PATH": "/bin",
        "AZURE_STORAGE_CONNECTION_STRING": "of the images",
        "WORKER_HOST_NAME": "f-g-a",
    }


def test_a_place_tells_what_its_machines_taught() -> None:
    told = Offer("aws/c7i", price_per_hour=0.9, images_per_s=2.5, boot_s=80, room=3, fault="no capacity")
    assert place_text(told) == (
        "aws/c7i, 2.5 images/s, boots in 80 s, 0.1 for 1,000 images, room for 3 more, no capacity"
    )
    assert place_text(Offer("own/large")) == "own/large"
