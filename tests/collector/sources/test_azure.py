"""Azure's own view, by Azure's real clients against a local Azure: figures, budget, refusals, age."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloud_monitor.settings import SettingsRefused
from collector.azure.resources import STORAGE, VM, batches, parse_resource, parse_resources
from collector.settings import Settings, read_settings
from collector.sources.azure.client import audience_of
from collector.sources.azure.source import (
    KEEP_S,
    AzureFailed,
    AzureState,
    collect,
    compose_azure,
    is_due,
    read_azure_state,
    write_azure_state,
)
from tests.collector.support import run_collector
from tests.services.azure_arm import TOKEN, LocalAzure, local_azure
from tests.services.graphite import Graphite
from tests.services.support import wait_until
from webapp import create_app
from webapp.settings import Settings as PageSettings

SUBSCRIPTION = "00000000-0000-0000-0000-000000000002"
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/fleet/providers"
NOW = 1_800_000_000


@pytest.fixture
def azure(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalAzure]:
    with local_azure() as server:
        for name, value in server.identity.items():
            monkeypatch.setenv(name, value)
        yield server


def settings_of(azure: LocalAzure, folder: Path, vms: int = 2, **given: str) -> Settings:
    return read_settings(environment(azure.url, folder, vms) | given)


def environment(url: str, folder: Path, vms: int = 2) -> dict[str, str]:
    return {
        "COLLECTOR_GRID": "atlas",
        "COLLECTOR_CARBON": "127.0.0.1:2004",
        "COLLECTOR_STATE_DIR": str(folder),
        "COLLECTOR_SOURCES": "azure",
        "COLLECTOR_SOURCE_TIMEOUT_S": "40",  # for a machine that is busy with other tests
        "COLLECTOR_AZURE_ARM_URL": url,
        "COLLECTOR_AZURE_METRICS_URL": url,
        "COLLECTOR_AZURE_VMS": "; ".join(
            f"worker-{number} = westeurope:{GROUP}/{VM}/worker-{number}" for number in range(vms)
        ),
        "COLLECTOR_AZURE_STORAGE": f"results = westeurope:{GROUP}/{STORAGE}/results",
        "COLLECTOR_AZURE_STORAGE_LIMIT_GB": "20",
        "COLLECTOR_AZURE_QUOTAS": f"west = westeurope:/subscriptions/{SUBSCRIPTION}",
    }


def values_of(collected: Any) -> dict[str, float]:
    return {path.removeprefix("grids.atlas.azure."): value for path, value in collected.values}


def test_figures_by_few_calls_with_the_machines_identity(azure: LocalAzure, tmp_path: Path) -> None:
    azure.silent = {"worker-1"}
    collected = collect(settings_of(azure, tmp_path), NOW, keep_state=True)
    assert collected.complaints == ()
    assert values_of(collected) == {
        "vms.worker-0.cpu_pct": 42.5,
        "vms.worker-0.memory_available_pct": 61.0,
        "vms.worker-0.disk_pct": 97.0,
        "storage.results.used_mb": 5000.0,
        "storage.results.limit_mb": 20_000.0,
        "storage.results.used_pct": 25.0,
        "quotas.west.cores.used": 90.0,
        "quotas.west.cores.limit": 100.0,
        "quotas.west.cores.used_pct": 90.0,
        "quotas.west.standardDSv3Family.used": 60.0,
        "quotas.west.standardDSv3Family.limit": 80.0,
        "quotas.west.standardDSv3Family.used_pct": 75.0,
        "quotas.west.StorageAccounts.used": 5.0,
        "quotas.west.StorageAccounts.limit": 250.0,
        "quotas.west.StorageAccounts.used_pct": 2.0,
        "age_s": 0.0,
        "calls": 4.0,
    }
    assert len(azure.calls) == 4
    asked = [one for one in azure.asked if not one[1].startswith("/identity")]
    assert {authorization for _, _, authorization, _ in asked} == {f"Bearer {TOKEN}"}
    assert asked[0][3] == {"resourceids": [f"{GROUP}/{VM}/worker-0", f"{GROUP}/{VM}/worker-1"]}
    assert (tmp_path / "azure.json").stat().st_mode & 0o777 == 0o600


def test_an_answer_belongs_to_the_machine_that_it_names(azure: LocalAzure, tmp_path: Path) -> None:
    azure.silent, azure.is_reversed = {"worker-1"}, True
    values = values_of(collect(settings_of(azure, tmp_path), NOW, keep_state=True))
    assert values["vms.worker-0.cpu_pct"] == 42.5
    assert "vms.worker-1.cpu_pct" not in values


def test_between_two_rounds_it_repeats_with_the_age(azure: LocalAzure, tmp_path: Path) -> None:
    settings = settings_of(azure, tmp_path)
    first = values_of(collect(settings, NOW, keep_state=True))
    azure.metrics["Percentage CPU"] = 80.0
    for minute in range(1, 5):
        again = values_of(collect(settings, NOW + 60 * minute, keep_state=True))
        assert again == first | {"age_s": 60.0 * minute}
    assert len(azure.calls) == 4
    later = values_of(collect(settings, NOW + 300, keep_state=True))
    assert (later["vms.worker-0.cpu_pct"], later["age_s"], len(azure.calls)) == (80.0, 0.0, 8)


@pytest.mark.parametrize(
    ("status", "said"), [(429, "answered 429"), (401, "answered 401"), (500, "answered 500")]
)
def test_a_refusal_costs_no_more_calls_and_the_last_figures_stay_while_they_are_young(
    azure: LocalAzure, tmp_path: Path, status: int, said: str
) -> None:
    settings = settings_of(azure, tmp_path)
    first = values_of(collect(settings, NOW, keep_state=True))
    azure.status = status
    refused = collect(settings, NOW + 300, keep_state=True)
    assert len(azure.calls) == 8, "each was asked once"
    assert values_of(refused) == first | {"age_s": 300.0}
    assert len(refused.complaints) == 4
    assert all(said in complaint for complaint in refused.complaints)
    with pytest.raises(AzureFailed, match=said):
        collect(settings, NOW + 300 + KEEP_S, keep_state=True)


def test_azure_is_left_alone_as_long_as_it_wants(azure: LocalAzure, tmp_path: Path) -> None:
    azure.status, azure.retry_after_s = 429, 900
    settings = settings_of(azure, tmp_path)
    for minute in range(15):
        with pytest.raises(AzureFailed):
            collect(settings, NOW + 60 * minute, keep_state=True)
    assert len(azure.calls) == 4
    azure.retry_after_s = 7200
    with pytest.raises(AzureFailed):
        collect(settings, NOW + 900, keep_state=True)
    for minute in range(16, 75):
        with pytest.raises(AzureFailed):
            collect(settings, NOW + 60 * minute, keep_state=True)
    assert len(azure.calls) == 8, "an hour, however long it says"
    azure.status = 200
    assert collect(settings, NOW + 4500, keep_state=True).complaints == ()


def test_a_token_is_for_the_cloud_that_is_asked() -> None:
    public = "https://metrics.monitor.azure.com"
    assert (
        audience_of("https://{region}.metrics.monitor.azure.us", public) == "https://metrics.monitor.azure.us"
    )
    assert audience_of("https://{region}.metrics.monitor.azure.com", public) == public
    assert audience_of("http://127.0.0.1:1", public) == public


def test_it_ends_in_time(azure: LocalAzure, tmp_path: Path) -> None:
    azure.wait_s = 1.5
    settings = settings_of(azure, tmp_path, COLLECTOR_SOURCE_TIMEOUT_S="9")
    collected = collect(settings, NOW, keep_state=True)
    assert len(azure.calls) < 4
    assert "no time is left to ask" in collected.complaints[-1]


def test_a_run_that_is_killed_costs_no_second_round(tmp_path: Path) -> None:
    state = AzureState(asked_at=NOW, calls=4)
    write_azure_state(tmp_path / "azure.json", state)
    assert read_azure_state(tmp_path / "azure.json") == state
    assert [is_due(state, NOW + at) for at in (0, 60, 299, 300, -60)] == [False, False, False, True, True]
    (tmp_path / "azure.json").write_text("{")
    assert read_azure_state(tmp_path / "azure.json") == AzureState()


def test_old_figures_fall_silent_one_by_one() -> None:
    state = AzureState(NOW, values={"old": (1.0, NOW - KEEP_S), "young": (2.0, NOW)})
    found = dict(compose_azure("atlas", state, NOW).values)
    assert (found["old"], found["grids.atlas.azure.age_s"]) == (1.0, KEEP_S)
    assert "old" not in dict(compose_azure("atlas", state, NOW + 60).values)


def test_calls_of_a_region_go_together() -> None:
    table = {f"v{n}": f"{'north' if n % 2 else 'west'}europe:{GROUP}/{VM}/v{n}" for n in range(120)}
    assert [len(batch) for batch in batches(parse_resources(table, VM))] == [50, 10, 50, 10]


def test_a_list_over_the_budget_is_refused_at_start(tmp_path: Path) -> None:
    def of(quotas: int) -> dict[str, str]:
        names = (f"q{number} = r{number}:/subscriptions/{SUBSCRIPTION}" for number in range(quotas))
        return environment("https://a", tmp_path, vms=50) | {"COLLECTOR_AZURE_QUOTAS": ";".join(names)}

    assert read_settings(of(49)).has_azure, "1 + 1 + 98 calls a round are 1200 an hour"
    with pytest.raises(
        SettingsRefused, match="50 VMs, 1 storage accounts and 50 quotas take 1224 calls an hour"
    ):
        read_settings(of(50))
    run = run_collector("--dry-run", environment={**os.environ, **of(50)})
    assert run.returncode == 2
    assert "COLLECTOR_AZURE_QUOTAS" in run.stderr


@pytest.mark.parametrize(
    ("name", "text"),
    [("VMS", f"a = {GROUP}/{VM}/a"), ("VMS", f"a = westeurope:{GROUP}/{STORAGE}/a"),
     ("QUOTAS", "a = r:/subscriptions/1"),
     ("ARM_URL", "http://example.org"), ("METRICS_URL", "ftp://x")],
)  # fmt: skip
def test_what_is_none_is_refused_by_name(tmp_path: Path, name: str, text: str) -> None:
    given = environment("https://a", tmp_path) | {f"COLLECTOR_AZURE_{name}": text}
    with pytest.raises(SettingsRefused, match=f"COLLECTOR_AZURE_{name}="):
        read_settings(given)


def test_a_resource_is_read_whole() -> None:
    resource = parse_resource(f"WestEurope:{GROUP}/{VM}/Worker-1", VM)
    assert resource == ("westeurope", f"{GROUP}/{VM}/Worker-1", SUBSCRIPTION)


def test_a_whole_run_has_its_heartbeat(azure: LocalAzure, tmp_path: Path) -> None:
    given = {**os.environ, **environment(azure.url, tmp_path)}
    run = run_collector("--dry-run", "--json", environment=given)
    assert run.returncode == 0, run.stderr
    points = {row["path"]: row["value"] for row in map(json.loads, run.stdout.splitlines())}
    assert points["grids.atlas.heartbeat.azure"] == 1
    assert points["grids.atlas.azure.vms.worker-1.cpu_pct"] == 42.5
    azure.status = 401
    run = run_collector("--dry-run", "--json", environment=given)
    points = {row["path"]: row["value"] for row in map(json.loads, run.stdout.splitlines())}
    assert (run.returncode, points["grids.atlas.heartbeat.azure"]) == (1, 0)
    assert "answered 401" in run.stderr
    assert TOKEN not in run.stderr


def test_the_page_plots_what_azure_said(azure: LocalAzure, graphite: Graphite, tmp_path: Path) -> None:
    given = environment(azure.url, tmp_path) | {
        "COLLECTOR_GRID": "azuregrid",
        "COLLECTOR_CARBON": graphite.carbon,
    }
    sent = run_collector("--print", environment={**os.environ, **given})
    assert sent.returncode == 0, sent.stderr
    paths = [
        line.split()[0] for line in sent.stdout.splitlines() if line.startswith("grids.azuregrid.azure.")
    ]
    assert len(paths) == 20
    page = create_app(PageSettings(graphite_url=graphite.url, state_dir=tmp_path / "page"), poll=False)
    client = page.test_client()

    def plotted() -> dict[str, tuple[str, set[float]]]:
        now = int(time.time())
        span = {"from": now - 900, "until": now + 60}
        answer = client.get("/api/series", query_string={"target": paths, **span}).json
        return {
            one["target"]: (one["unit"], {value for value in one["values"] if value is not None})
            for one in answer.get("series", ())  # a busy Graphite may not answer in time
        }

    wait_until(
        lambda: sum(bool(values) for _, values in plotted().values()) == len(paths), "every figure in a plot"
    )
    found = plotted()
    assert found["grids.azuregrid.azure.vms.worker-1.disk_pct"] == ("%", {97.0})
    assert found["grids.azuregrid.azure.storage.results.used_mb"] == ("MB", {5000.0})
    assert found["grids.azuregrid.azure.quotas.west.cores.used_pct"] == ("%", {90.0})
