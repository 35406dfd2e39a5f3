"""`webapp alerts ...` as an operator types it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.services.programs import run_program
from tests.services.receivers import http_receiver, mailbox
from tests.webapp.alerts.test_evaluate import Deployment, write_rules
from webapp.alerts.rules.current import CurrentRules


class Shell:
    def __init__(self, state_dir: Path, alerts_file: Path | None = None) -> None:
        file = {"WEBAPP_ALERTS_FILE": str(alerts_file)} if alerts_file else {}
        self.environment = {**os.environ, "WEBAPP_STATE_DIR": str(state_dir), **file}

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return run_program("webapp", "alerts", *arguments, environment=self.environment)

    def answer(self, *arguments: str) -> Any:
        ended = self.run(*arguments, "--json")
        assert ended.returncode == 0, ended.stderr
        return json.loads(ended.stdout)


def test_what_is_listed_can_be_acknowledged_and_silenced_by_name(tmp_path: Path) -> None:
    deployment = Deployment(tmp_path / "state", None)
    deployment.minutes(6, "refused")
    shell = Shell(deployment.state_dir)
    (alert,) = shell.answer("list")["alerts"]
    assert (alert["key"], alert["state"]) == (["poll_failing", ""], "firing")
    shell.answer("ack", alert["id"], "--for", "1h", "--note", "on it", "--by", "eva")
    number = shell.answer("silence", "*", "--for", "2h", "--by", "eva")["number"]
    deployment.minutes(1, "refused")
    (alert,) = shell.answer("list")["alerts"]
    assert (alert["acked_by"], alert["note"]) == ("eva", "on it")
    shell.answer("unack", alert["id"], "--by", "otto")
    shell.answer("unsilence", str(number))
    told = [(one["what"], one["by"]) for one in shell.answer("history")]
    assert ("acknowledged", "eva") in told
    assert ("silenced", "eva") in told
    assert ("acknowledgement taken back", "otto") in told
    assert "acknowledged by" not in shell.run("list").stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("test", "mail"), "no channel 'mail'"), (("ack", "nothing-1"), "no alert 'nothing-1'"),
        (("silence", "atlas", "--rule", "nope"), "no rule 'nope'"),
        (("silence", "*", "--for", "40d"), "at most"),
        (("unsilence", "7"), "no silence 7"), (("silence", "*", "--for", "soon"), "no time such as"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_said(tmp_path: Path, arguments: tuple[str, ...], told: str) -> None:
    ended = Shell(tmp_path).run(*arguments)
    assert ended.returncode == 2
    assert told in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_test_goes_as_a_real_message_does(tmp_path: Path) -> None:
    with mailbox() as box, http_receiver() as receiver:
        receiver.status = 500
        file = write_rules(
            tmp_path,
            f'[channels]\nmail = "mailto://127.0.0.1:{box.port}?from=a@example.org&to=b@example.org&mode=insecure"\n'
            f'hook = "json://secret-user:secret-word@{receiver.host}"\n',
        )
        shell = Shell(tmp_path, file)
        assert shell.answer("test", "mail") == {"delivered": True}
        assert len(box.got) == 1
        failed = shell.run("test", "hook")
    assert failed.returncode == 2
    assert "channel hook" in failed.stderr
    assert "secret-word" not in failed.stderr + failed.stdout
    assert [one["failures"] for one in shell.answer("list")["channels"]] == [1, 0]


def test_rules_are_listed_and_a_mistake_in_the_file_is_named(tmp_path: Path) -> None:
    file = write_rules(tmp_path, '[[rule]]\nname = "cpu"\nfor = "1h"\n')
    rules = {one["name"]: one for one in Shell(tmp_path, file).answer("rules")}
    assert rules["cpu"]["for"] == 3600.0
    file.write_text("[[rule]]\nname = 'mine'\n")
    refused = Shell(tmp_path, file).run("rules")
    assert refused.returncode == 2
    assert "rule 'mine'" in refused.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_another_user_may_not_write(tmp_path: Path) -> None:
    os.chown(tmp_path, 12345, 12345)
    ended = Shell(tmp_path).run("silence", "*")
    assert ended.returncode == 2
    assert "belongs to user 12345" in ended.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["list", "history"])
def test_what_cannot_be_read_is_not_called_well(command: str, tmp_path: Path) -> None:
    (tmp_path / "alerts.sqlite").mkdir()
    ended = Shell(tmp_path).run(command)
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert ended.stderr.startswith(f"WEBAPP_STATE_DIR={tmp_path}: ")


def test_rules_that_there_is_no_way_to_any_more_stay_as_they_were(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As when a folder above them is closed, which root would not notice: here a link leads in a circle."""
    file = tmp_path / "folder/alerts.toml"
    file.parent.mkdir()
    file.write_text('base_url = "https://a.example"\n')
    rules = CurrentRules(file)
    file.parent.rename(tmp_path / "away")
    file.parent.symlink_to(file.parent)
    for _ in range(3):
        assert rules.read().base_url == "https://a.example"
    assert caplog.text.count("the rules of before stay") == 1
    file.parent.unlink()
    file.parent.mkdir()
    file.write_text('base_url = "https://b.example"\n')
    assert rules.read().base_url == "https://b.example"
