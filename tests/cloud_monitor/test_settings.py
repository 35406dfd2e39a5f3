"""The settings reader: where values come from, what is refused and how, what is passed over."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, SecretStr

from cloud_monitor.setting_types import (
    LogLevel,
    Names,
    Secret,
    SettingsGroup,
    Table,
    UserPath,
    choose_state_dir,
)
from cloud_monitor.settings import Reader, SettingsRefused, find_meant, read_toml
from collector.settings import Settings as CollectorSettings
from webapp.settings import Settings as WebappSettings
from worker.settings import Settings as WorkerSettings


class Example(SettingsGroup):
    grid: str = Field(min_length=1)
    port: int = Field(5000, ge=1, le=65535)
    host: str = ""
    graphite_url: str = Field("", pattern="^(http://.*)?$", examples=["http://graphite:8080"])
    lease_s: float = Field(60, gt=0, le=600)
    owner: bool = True
    hidden: Names = ()
    names: Table = Field({})
    state_dir: UserPath = Path("/none")
    log_level: LogLevel = Field("INFO")
    password: SecretStr | None = None
    database_url: Annotated[str | None, Secret(), Field(pattern="^sqlite:")] = None
    part_lease_mb: int = 1
    lease_mb: int = 2


READER = Reader(Example, "PART_", {"GRIDNAME": "grid"})
GRID = {"PART_GRID": "g"}


def read(environment: dict[str, str], config: Path | None = None, **given: Any) -> Example:
    return READER.read(GRID | environment, config, given)


def refused(environment: dict[str, str], config: Path | None = None) -> list[str]:
    with pytest.raises(SettingsRefused) as caught:
        READER.read(GRID | environment, config)
    return str(caught.value).splitlines()


def warned(environment: dict[str, str]) -> list[str]:
    told: list[str] = []
    READER.read(GRID | environment, warn=told.append)
    return told


def toml(folder: Path, text: str) -> Path:
    file = folder / "part.toml"
    file.write_text(text)
    return file


def test_what_is_given_wins_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    file = toml(tmp_path, 'grid = "file"\nhost = "file"\nport = 1\nlease_s = 1\n')
    settings = READER.read({"GRIDNAME": "old", "PART_PORT": "2", "PART_LEASE_S": "2"}, file, {"lease_s": 3})
    assert (settings.grid, settings.host, settings.port, settings.lease_s) == ("old", "file", 2, 3)
    assert READER.read({"GRIDNAME": "old", "PART_GRID": "own"}).grid == "own"


def test_quotation_marks_that_a_container_was_given_with_a_value_are_no_part_of_it(tmp_path: Path) -> None:
    """podman's --env-file leaves them, a shell and systemd do not. What TOML has in a value is meant."""
    told: list[str] = []
    given = {"PART_GRID": '"atlas"', "PART_PORT": "'7'", "PART_HOST": ' "a b" ', "PART_PASSWORD": '"x"'}
    settings = READER.read(given, warn=told.append)
    assert (settings.grid, settings.port, settings.host) == ("atlas", 7, "a b")
    assert settings.password is not None
    assert settings.password.get_secret_value() == '"x"'
    assert told == ["PART_PASSWORD: the quotation marks around it are taken for part of it"]
    assert read({"PART_PORT": '""', "PART_LEASE_S": "''"}).port == 5000
    for kept in ('"a" == "b"', "\"a'", '"', '["a"]'):
        assert read({"PART_HOST": kept}).host == kept
    assert read({}, toml(tmp_path, "host = '\"a\"'\n")).host == '"a"'


def test_what_the_file_says_in_vain_is_told_without_its_value(tmp_path: Path) -> None:
    """As a unit's own state_dir hides that of the file."""
    config = tmp_path / "part.toml"
    config.write_text('state_dir = "/srv/here"\nowner = true\nport = 5000\ngrid = "g"\nhidden = ["a"]\n')
    told: list[str] = []
    unit = {"PART_STATE_DIR": "/var/lib/part", "PART_OWNER": "True", "PART_PORT": "5000 ", "PART_HIDDEN": "a"}
    settings = READER.read(GRID | unit, config, warn=told.append)
    assert settings.state_dir == Path("/var/lib/part")
    assert told == [f"PART_STATE_DIR: the environment's is used, that of {config} has no effect"]


@pytest.mark.parametrize("name", ["port", "PORT", "PART_PORT", "part_port", "Part_Port"])
def test_names_of_the_file_go_with_or_without_the_prefix_in_any_case(tmp_path: Path, name: str) -> None:
    assert read({}, toml(tmp_path, f"{name} = 7\n")).port == 7


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("PART_LEASE_MB", "lease_mb"),
        ("part_lease_mb", "part_lease_mb"),
        ("PART_PART_LEASE_MB", "part_lease_mb"),
        ("part_part_lease_mb", "part_lease_mb"),
        ("lease_mb", "lease_mb"),
    ],
)
def test_a_name_that_begins_as_the_prefix_does_is_not_cut(tmp_path: Path, name: str, field: str) -> None:
    assert getattr(read({}, toml(tmp_path, f"{name} = 9\n")), field) == 9
    assert {
        read({"PART_PART_LEASE_MB": "9"}).part_lease_mb,
        read({"PART_LEASE_MB": "8"}).lease_mb,
    } == {
        8,
        9,
    }


def test_a_name_that_is_given_twice_is_refused_unless_both_agree(tmp_path: Path) -> None:
    assert "PART_PORT: is given twice" in refused({}, toml(tmp_path, "port = 1\nPART_PORT = 2\n"))[0]
    assert read({}, toml(tmp_path, "port = 1\nPART_PORT = 1\n")).port == 1


def test_variables_go_in_any_case_and_capitals_win() -> None:
    assert read({"part_port": "7"}).port == 7
    assert read({"PART_PORT": "8", "part_port": "7"}).port == 8
    assert read({"part_port": "7", "PART_PORT": "8"}).port == 8


@pytest.mark.parametrize("empty", ["", "  "])
def test_empty_is_unset(tmp_path: Path, empty: str) -> None:
    assert read({"PART_PORT": empty, "PART_HIDDEN": empty, "GRIDNAME": ""}) == read({})
    assert read({}, toml(tmp_path, f'state_dir = "{empty}"\nlog_level = "{empty}"\n')) == read({})
    assert read({"PART_PORT": empty}, toml(tmp_path, "port = 7\n")).port == 7


def test_every_problem_is_told_at_once_a_line_each(tmp_path: Path) -> None:
    file = toml(tmp_path, "grit = 1\ncolour = 2\nlease_s = 0\n")
    environment = {"PART_GRID": "", "PART_PORT": "http", "PART_GRAPHTE_URL": "x", "PART_OWNER": "perhaps"}
    assert sorted(refused(environment | {"PART_LOG_LEVEL": "loud", "PART_GRAPHITE_URL": "ftp:\n"}, file)) == [
        "PART_COLOUR: there is no such setting (docs/settings.md lists them)",
        "PART_GRAPHITE_URL='ftp:': String should match pattern '^(http://.*)?$', for example http://graphite:8080",
        "PART_GRAPHTE_URL: there is no such setting; is PART_GRAPHITE_URL meant?",
        "PART_GRID: is not set; PART_GRID must be set (GRIDNAME is taken too)",
        "PART_GRIT: there is no such setting; is PART_GRID meant?",
        "PART_LEASE_S=0: Input should be greater than 0",
        "PART_LOG_LEVEL='LOUD': Input should be 'DEBUG', 'INFO', 'WARNING' or 'ERROR'",
        "PART_OWNER='perhaps': Input should be true or false",
        "PART_PORT='http': Input should be a valid integer, unable to parse string as an integer",
    ]


def test_secrets_are_never_shown(tmp_path: Path) -> None:
    file = toml(tmp_path, 'password = ["geheim"]\ndatabase_url = "mysql://u:geheim@host/db"\n')
    lines = refused({"PART_GRAPHITE_URL": "ftp://u:geheim/@host/"}, file)
    assert "geheim" not in "\n".join(lines)
    assert [line.split(": ")[0] for line in lines] == [
        "PART_GRAPHITE_URL='ftp://u:(hidden)@host/'",
        "PART_PASSWORD=(hidden)",
        "PART_DATABASE_URL=(hidden)",
    ]


def test_a_file_may_begin_with_a_byte_order_mark_and_end_its_lines_as_windows_does(tmp_path: Path) -> None:
    file = tmp_path / "part.toml"
    file.write_bytes(b"\xef\xbb\xbfport = 81\r\n# \xc3\xa9\r\n")
    assert read_toml(file) == {"port": 81}


@pytest.mark.parametrize("text", ["port = ", "port = 1\nport = 1\n", "\udc80"])
def test_a_file_that_is_not_toml_is_named(tmp_path: Path, text: str) -> None:
    file = tmp_path / "part.toml"
    file.write_bytes(text.encode(errors="surrogateescape"))
    assert refused({}, file)[0].startswith(f"--config {file}: not TOML: ")
    assert refused({}, tmp_path)[0] == f"--config {tmp_path}: cannot be read: Is a directory"


def test_a_file_that_nobody_wrote_by_hand_is_not_read_whole() -> None:
    assert refused({}, Path("/dev/zero")) == ["--config /dev/zero: not TOML: it is larger than 8 MiB"]


def test_a_file_in_another_encoding_is_named_with_the_line(tmp_path: Path) -> None:
    file = tmp_path / "part.toml"
    file.write_bytes(b'grid = "g"\nhost = "b\xfcro"\n')
    assert refused({}, file) == [f"--config {file}: not TOML: it is not UTF-8 (at line 2)"]


def test_a_table_around_the_settings_is_told_apart_from_a_misspelling(tmp_path: Path) -> None:
    file = toml(tmp_path, "[part]\nport = 81\n")
    assert refused({}, file) == [
        f"--config {file}: [part]: settings stand at the head of the file, in no table; remove that line"
    ]


def test_blanks_around_a_value_are_no_part_of_it_but_for_secrets(tmp_path: Path) -> None:
    file = toml(tmp_path, 'grid = " g "\nlog_level = "info "\ndatabase_url = "sqlite:///a "\n')
    settings = READER.read({"PART_HOST": "h\n", "PART_PASSWORD": " p "}, file)
    assert (settings.grid, settings.log_level, settings.host) == ("g", "INFO", "h")
    assert settings.password is not None
    assert (settings.password.get_secret_value(), settings.database_url) == (" p ", "sqlite:///a ")


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("graphte_url", "graphite_url"),
        ("graphiteurl", "graphite_url"),
        ("graphite__url", "graphite_url"),
        ("url_graphite", "graphite_url"),
        ("prot", "port"),
        ("leases_s", "lease_s"),
        ("log_levels", "log_level"),
        ("memory_threshold", "memory_threshold_pct"),
        ("memory_treshhold_pct", "memory_threshold_pct"),
        ("lease_seconds", "lease_s"),
        ("drain_min", "drain_s"),
        ("spool_mb", "spool_max_mb"),
        ("spool_max_gb", "spool_max_mb"),
        ("spool-max-age-s", "spool_max_age_s"),
        ("max_s", None),
        ("graphite", None),
        ("gpus", None),
        ("name", None),
        ("image", None),
        ("memory", None),
        ("concurrency", None),
    ],
)
def test_what_is_likely_meant(name: str, meant: str | None) -> None:
    parts = (CollectorSettings, WebappSettings, WorkerSettings)
    known = {field for part in parts for field in part.model_fields}
    assert find_meant(name, known) == meant


@given(st.data())
def test_one_wrong_letter_in_a_long_name_is_found_out(data: st.DataObject) -> None:
    known = [name for name in WorkerSettings.model_fields if len(name) > 5]
    name = data.draw(st.sampled_from(known))
    at = data.draw(st.integers(1, len(name) - 1))
    letter = data.draw(st.sampled_from("abcxyz_"))
    wrong = data.draw(
        st.sampled_from(
            [name[:at] + name[at + 1 :], name[:at] + letter + name[at:], name[:at] + letter + name[at + 1 :]]
        )
    )
    assert wrong in known or find_meant(wrong, known) is not None


def test_another_unknown_variable_is_warned_of_and_has_no_effect() -> None:
    assert warned({"PART_COLOUR": "red", "OTHER": "x", "PART_EMPTY": ""}) == [
        "PART_COLOUR: there is no such setting, it has no effect"
    ]
    assert refused({"PART_PART_LEASE_SB": "1"})[0].endswith("is PART_PART_LEASE_MB meant?")


def test_a_container_platforms_links_are_passed_over() -> None:
    links = {
        "PART_SERVICE_HOST": "10.0.0.1",
        "PART_SERVICE_PORT": "5000",
        "PART_SERVICE_PORT_HTTP": "5000",
        "PART_PORT": "tcp://10.0.0.1:5000",
        "PART_PORT_5000_TCP": "tcp://10.0.0.1:5000",
        "PART_PORT_5000_TCP_PROTO": "tcp",
        "PART_PORT_5000_TCP_PORT": "5000",
        "PART_PORT_5000_TCP_ADDR": "10.0.0.1",
        "PART_QUEUE_SERVICE_HOST": "10.0.0.2",
        "PART_QUEUE_PORT": "tcp://10.0.0.2:5432",
        "PART_QUEUE_PORT_5432_TCP_ADDR": "10.0.0.2",
    }
    assert warned(links) == []
    assert read(links) == read({})


@pytest.mark.parametrize("text", ["warning", "WARNING", "Warning"])
def test_a_log_level_goes_in_any_case(tmp_path: Path, text: str) -> None:
    assert read({"PART_LOG_LEVEL": text}).log_level == "WARNING"
    assert read({}, toml(tmp_path, f'log_level = "{text}"')).log_level == "WARNING"


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("a, b,,", ("a", "b")),
        ('["a", "b"]', ("a", "b")),
        (' ["a,b"]', ("a,b",)),
        ("[]", ()),
        ("[::1]:9618,b", ("[::1]:9618", "b")),
        ("[2001:db8::1]:9618", ("[2001:db8::1]:9618",)),
    ],
)
def test_a_list_is_separated_by_commas_or_json(text: str, names: tuple[str, ...]) -> None:
    assert read({"PART_HIDDEN": text}).hidden == names


@pytest.mark.parametrize("text", ['["a", "b"', "['a']", "[[", '[{"a": 1}]', "[1]"])
def test_a_faulty_json_list_is_not_taken_for_names(text: str) -> None:
    assert refused({"PART_HIDDEN": text})[0].startswith("PART_HIDDEN")


@pytest.mark.parametrize(
    ("text", "table"),
    [
        ("a = x; b=y = z\nc = 'u;v';", {"a": "x", "b": "y = z", "c": "'u;v'"}),
        ('{"a": "x; y"}', {"a": "x; y"}),
        ("{}", {}),
    ],
)
def test_a_table_is_assignments_or_json(text: str, table: dict[str, str]) -> None:
    assert read({"PART_NAMES": text}).names == table


@pytest.mark.parametrize("text", ["a", "a =", "= b", "a = 1; a = 2", '{"a": "x"', '{"a": 1}'])
def test_a_faulty_table_is_refused(text: str) -> None:
    assert refused({"PART_NAMES": text})[0].startswith("PART_NAMES")


WORD = st.text(st.characters(categories=["L", "Nd"]), min_size=1, max_size=8)


@given(
    port=st.integers(1, 65535),
    lease_s=st.floats(0.001, 600),
    owner=st.booleans(),
    hidden=st.lists(WORD),
    names=st.dictionaries(WORD, WORD),
    host=WORD,
    level=st.sampled_from(["debug", "Info", "WARNING"]),
)
def test_what_is_written_in_the_environment_and_in_a_file_is_read_the_same(
    port: int, lease_s: float, owner: bool, hidden: list[str], names: dict[str, str], host: str, level: str
) -> None:
    environment = {
        "PART_PORT": str(port),
        "PART_LEASE_S": repr(lease_s),
        "PART_OWNER": str(owner),
        "PART_HIDDEN": ",".join(hidden),
        "PART_NAMES": ";".join(f"{name} = {text}" for name, text in names.items()),
        "PART_HOST": host,
        "PART_LOG_LEVEL": level,
    }
    table = ", ".join(
        f"{json.dumps(name, ensure_ascii=False)} = {json.dumps(text, ensure_ascii=False)}"
        for name, text in names.items()
    )
    rows = [
        f"port = {port}",
        f"PART_LEASE_S = {lease_s!r}",
        f"owner = {str(owner).lower()}",
        f"hidden = {json.dumps(hidden, ensure_ascii=False)}",
        f"names = {{{table}}}",
        f"host = {json.dumps(host, ensure_ascii=False)}",
        f'log_level = "{level}"',
    ]
    with tempfile.TemporaryDirectory() as folder:
        assert read(environment) == read({}, toml(Path(folder), "\n".join(rows)))
    told = read(environment)
    assert (told.port, told.lease_s, told.owner, told.host) == (port, lease_s, owner, host)
    assert (list(told.hidden), told.names, told.log_level) == (hidden, names, level.upper())


def test_the_folder_of_a_parts_state_follows_one_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/u")
    made = "/var/lib/a:/var/lib/b"
    for part in ("collector", "webapp", "worker"):
        for is_root, own in (
            (True, f"/var/lib/cloud-monitor/{part}"),
            (False, f"/home/u/.local/state/cloud-monitor/{part}"),
        ):
            assert choose_state_dir(part, None, "", is_root) == Path(own)
            assert choose_state_dir(part, None, made, is_root) == Path("/var/lib/a")
            assert choose_state_dir(part, Path("state"), made, is_root) == Path("state")


def test_state_that_version_0_1_0_kept_in_the_current_folder_is_used_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STATE_DIRECTORY", "/made")
    for name in ("WEBAPP_STATE_DIR", "WORKER_STATE_DIR"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "state/worker").mkdir(parents=True)  # of a `make run`
    assert (WebappSettings().state_dir, WorkerSettings().state_dir) == (Path("/made"), Path("/made"))
    (tmp_path / "state/webapp").mkdir()
    (tmp_path / "state/queue.db").touch()
    assert (WebappSettings().state_dir, WorkerSettings().state_dir) == (Path("state/webapp"), Path("state"))
