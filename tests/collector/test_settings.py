"""Settings: where they come from, and that what cannot be used is named with what would be accepted."""

from __future__ import annotations

from pathlib import Path

import pytest

from cloud_monitor.settings import SettingsRefused
from collector.settings import read_settings
from tests.collector.support import collector_environment, run_collector

BASE = {"COLLECTOR_GRID": "atlas", "COLLECTOR_CARBON": "carbon.example.org"}


def refusal(environment: dict[str, str], config: Path | None = None) -> str:
    with pytest.raises(SettingsRefused) as caught:
        read_settings(environment, config)
    return str(caught.value)


def test_unset_grid_and_destination_are_both_named() -> None:
    for environment in ({}, {"COLLECTOR_GRID": "g"}, {"COLLECTOR_CARBON": "c:1"}, {"COLLECTOR_GRID": ""}):
        assert {"COLLECTOR_GRID", "COLLECTOR_CARBON"} <= set(refusal(environment).replace(":", " ").split())


def test_the_command_refuses_with_status_two() -> None:
    ended = run_collector("--dry-run", environment={"PATH": "/usr/bin:/bin"})
    assert ended.returncode == 2
    assert "COLLECTOR_GRID" in ended.stderr
    assert "COLLECTOR_CARBON" in ended.stderr
    assert ended.stdout == ""


def test_the_ancestors_names_are_taken_and_the_own_ones_win() -> None:
    settings = read_settings({"GRIDNAME": "old", "CARBON_SERVER": "old.example:2004"})
    assert (settings.grid, settings.carbon[0].text) == ("old", "old.example:2004")
    assert read_settings({"GRIDNAME": "old", **BASE}).grid == "atlas"


@pytest.mark.parametrize("form", ["grid", "GRID", "COLLECTOR_GRID", "collector_grid"])
def test_a_toml_file_takes_the_same_names_and_the_environment_wins(tmp_path: Path, form: str) -> None:
    config = tmp_path / "collector.toml"
    config.write_text(
        f'{form} = "file"\ncarbon = ["a:1", "b:2"]\n[commands]\ntape = {{run = "x -y", timeout_s = 3}}\n'
    )
    settings = read_settings({}, config)
    assert settings.grid == "file"
    assert [destination.text for destination in settings.carbon] == ["a:1", "b:2"]
    assert settings.commands["tape"].timeout_s == 3
    assert read_settings({"COLLECTOR_GRID": "environment"}, config).grid == "environment"


@pytest.mark.parametrize(
    ("name", "value", "accepted"),
    [
        ("CARBON", "udp://x:1", "tcp+plain://"),
        ("CARBON", "host:port", "host:port"),
        ("CARBON", "a:1,a:1", "given twice"),
        ("CARBON", "ring://a:1;a:2", "different instances"),
        ("CARBON", "ring://a:1:x;b:2:y?replication=3", "replication=1 to 2"),
        ("SOURCE_TIMEOUT_S", "soon", "valid number"),
        ("SOURCE_TIMEOUT_S", "400", "less than or equal to 40"),
        ("SOURCES", "host,weather", "'condor'"),
        ("COMMANDS", "tape", "name = text"),
        ("GRAPHITE_URL", "ftp://x", "https?"),
        ("HOST_SCOPE", "planet", "'container'"),
        ("INVENTORY_URL", "ftp://page", "https://monitor.example.org"),
        ("INVENTORY_URL", "http://:5000", "https://monitor.example.org"),
        ("INVENTORY_URL", "http://page:99999", "https://monitor.example.org"),
        ("INVENTORY_URL", "http://[::1", "https://monitor.example.org"),
        ("INVENTORY_URL", "http://user@page", "https://monitor.example.org"),
        ("INVENTORY_URL", "http://page/a b", "https://monitor.example.org"),
        ("INVENTORY_JOBS_MAX", "10001", "less than or equal to 10000"),
    ],
)
def test_a_malformed_value_is_refused_with_name_value_and_what_is_accepted(
    name: str, value: str, accepted: str
) -> None:
    text = refusal({**BASE, f"COLLECTOR_{name}": value})
    assert text.startswith(f"COLLECTOR_{name}")
    assert value.split(",")[-1] in text
    assert accepted in text


def test_an_unknown_source_is_one_mistake_told_in_one_line() -> None:
    for sources in ("weather", '["weather"]'):
        assert refusal({**BASE, "COLLECTOR_SOURCES": sources}) == (
            "COLLECTOR_SOURCES.0='weather': Input should be 'auto', 'host', 'condor', 'cloudscheduler', "
            "'fleet', 'azure' or 'commands'"
        )


def test_a_blank_after_the_grids_name_makes_no_other_grid() -> None:
    assert read_settings({**BASE, "COLLECTOR_GRID": "atlas "}).grid == "atlas"


def test_an_unknown_setting_is_a_mistake_and_all_mistakes_come_at_once() -> None:
    assert "COLLECTOR_GIRD: there is no such setting" in refusal({**BASE, "COLLECTOR_GIRD": "x"})
    text = refusal({**BASE, "COLLECTOR_RUN_TIMEOUT_S": "0", "COLLECTOR_OWNER": "perhaps"})
    assert "COLLECTOR_RUN_TIMEOUT_S" in text
    assert "COLLECTOR_OWNER" in text


def test_the_inventory_needs_its_secret() -> None:
    text = refusal({**BASE, "COLLECTOR_INVENTORY_URL": "http://[::1]:5000/monitor/"})
    assert text.startswith("COLLECTOR_INVENTORY_TOKEN_FILE: is not set; COLLECTOR_INVENTORY_URL asks for it")
    given = {"COLLECTOR_INVENTORY_URL": "https://page", "COLLECTOR_INVENTORY_TOKEN_FILE": "~/token"}
    assert read_settings({**BASE, **given}).inventory_token_file == Path.home() / "token"


def test_a_secret_is_not_repeated() -> None:
    assert "hunter2" not in repr(read_settings({**BASE, "COLLECTOR_CLOUDSCHEDULER_PASSWORD": "hunter2"}))


def test_a_file_that_is_not_toml_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text("grid = ")
    assert "bad.toml" in refusal({}, tmp_path / "bad.toml")
    assert "absent.toml" in refusal({}, tmp_path / "absent.toml")


def test_names_are_cleaned_into_the_grammar() -> None:
    settings = read_settings({**BASE, "COLLECTOR_GRID": "my grid", "COLLECTOR_HOST": "head.example.org"})
    assert settings.grid.startswith("my_grid_")
    assert settings.own_path("sysinfo_load") == f"grids.{settings.grid}.sysinfo.load"


def test_a_further_host_writes_only_its_own_tree(tmp_path: Path) -> None:
    environment = collector_environment(
        tmp_path, "127.0.0.1:1", OWNER="false", HOST="head2", COMMANDS="a=/bin/echo x 1"
    )
    ended = run_collector("--dry-run", environment=environment | {"COLLECTOR_SOURCES": "host,commands"})
    assert ended.returncode == 0, ended.stderr
    assert all(line.startswith("grids.g.hosts.head2.") for line in ended.stdout.splitlines())
    assert "grids.g.hosts.head2.heartbeat.cloud_monitor 1" in ended.stdout


def test_what_has_no_effect_is_told_once_and_not_each_minute(tmp_path: Path) -> None:
    environment = collector_environment(tmp_path, "127.0.0.1:1", SOURCES="host")
    mistaken = environment | {"COLLECTOR_COLOUR": "red"}

    def told(environment: dict[str, str], *arguments: str) -> bool:
        return (
            "COLLECTOR_COLOUR: there is no such setting"
            in run_collector(*arguments, environment=environment).stderr
        )

    assert [told(mistaken), told(mistaken), told(mistaken, "--dry-run")] == [True, False, True]
    assert [told(environment), told(mistaken)] == [False, True]


@pytest.mark.parametrize("name", ["CLOUDSCHEDULER_URL", "GRAPHITE_URL"])
def test_a_password_in_an_address_is_refused_and_not_shown(name: str) -> None:
    given = {"COLLECTOR_GRID": "g", "COLLECTOR_CARBON": "127.0.0.1:1"}
    with pytest.raises(SettingsRefused, match="holds a user or password") as refused:
        read_settings({**given, f"COLLECTOR_{name}": "https://user:hunter2@cs.example.org/x"})
    assert "hunter2" not in str(refused.value)
