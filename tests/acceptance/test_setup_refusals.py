"""`setup --system` by who may not, over what is another's, and over links: told, and nothing is taken."""

from __future__ import annotations

from pathlib import Path

from cloud_monitor.system.installation import ACCOUNT
from tests.acceptance.test_setup import ONLY_ROOT, in_namespace


@ONLY_ROOT
def test_what_belongs_to_another_user_is_told_and_not_taken(tmp_path: Path) -> None:
    done = in_namespace(
        tmp_path,
        """
        make() { $PYTHON -m collector setup --system --with none "$@"; }
        make > /dev/null
        chown www-data /etc/cloud-monitor/collector.toml; chmod 600 /etc/cloud-monitor/collector.toml
        make | grep collector.toml; echo ==
        touch /var/lib/cloud-monitor/collector/mine; chown -R www-data /var/lib/cloud-monitor/collector
        make || echo $?; stat -c %U /var/lib/cloud-monitor/collector
        rm /var/lib/cloud-monitor/collector/mine
        make | grep made; stat -c %U /var/lib/cloud-monitor/collector; echo ==
        chown www-data /etc/cloud-monitor
        make || echo $?; stat -c %U /etc/cloud-monitor
        """,
    )
    settings, state, place = done.stdout.split("==\n")
    assert settings.splitlines()[0] == (
        "kept as is  file /etc/cloud-monitor/collector.toml (www-data:cloud-monitor 600), "
        "not file /etc/cloud-monitor/collector.toml (root:cloud-monitor 640)"
    )
    assert state.splitlines()[-4:] == [
        "1",
        "www-data",
        "made        folder /var/lib/cloud-monitor/collector (cloud-monitor:cloud-monitor 700)",
        "cloud-monitor",
    ]
    assert place.splitlines()[-2:] == ["1", "www-data"]
    told = "belongs to www-data and has files in it: stop what uses them, then chown -R"
    for folder, owner in (("lib/cloud-monitor/collector", "cloud-monitor"), ("etc/cloud-monitor", "root")):
        folder = folder.replace("lib/", "/var/lib/").replace("etc/", "/etc/")
        assert f"{folder} {told} {owner}:cloud-monitor {folder}" in done.stderr


@ONLY_ROOT
def test_a_link_in_place_of_a_folder_or_file_leads_nowhere(tmp_path: Path) -> None:
    (tmp_path / "else").mkdir()
    (tmp_path / "file").write_text("mine")
    done = in_namespace(
        tmp_path,
        """
        make() { $PYTHON -m worker setup --system --with none > /dev/null || echo $?; }
        ln -s "$T/else" /etc/cloud-monitor; make; rm /etc/cloud-monitor
        ln -s "$T/else" /var/lib/cloud-monitor/worker; make; rm /var/lib/cloud-monitor/worker
        ln -sf "$T/file" /etc/cloud-monitor/worker.env; make; rm /etc/cloud-monitor/worker.env
        ln -s "$T/none" /etc/cloud-monitor/worker.env; make
        """,
    )
    assert done.stdout.splitlines() == ["1"] * 4
    assert [line.rpartition(": ")[0].split(": ")[-1] for line in done.stderr.splitlines()] == [
        "/etc/cloud-monitor is not a folder",
        "/var/lib/cloud-monitor/worker is not a folder",
        "/etc/cloud-monitor/worker.env is not a file",
        "/etc/cloud-monitor/worker.env is not a file",
    ]
    assert list((tmp_path / "else").iterdir()) == []
    assert ((tmp_path / "file").read_text(), (tmp_path / "none").exists()) == ("mine", False)


@ONLY_ROOT
def test_an_ordinary_user_may_see_what_would_be_made_and_make_nothing(tmp_path: Path) -> None:
    done = in_namespace(
        tmp_path,
        f"""
        nobody() {{ setpriv --reuid 65534 --regid 65534 --clear-groups \
            $PYTHON -m webapp setup --system --with none "$@"; }}
        nobody || echo $?; nobody --dry-run; echo $?; echo ==
        (PATH=/bin:/usr/bin; groupadd=$(PATH=/usr/sbin:$PATH command -v groupadd); $groupadd {ACCOUNT}
        $PYTHON -m webapp setup --system --with none); id -ng {ACCOUNT}; echo ==
        nobody --dry-run; echo $?
        """,
    )
    before, made, after = done.stdout.split("==\n")
    assert before.splitlines()[0] == "2"
    assert "only root may" not in before
    assert before.splitlines()[-1] == "0"
    assert before.count("would make") == 4, before  # /var/lib/cloud-monitor is there
    assert "run it as root, or with --dry-run" in done.stderr
    # Without /usr/sbin in the PATH, as after `su`, and with the group there already.
    assert "made        user and group cloud-monitor" in made
    assert made.splitlines()[-1] == ACCOUNT
    file = "file /etc/cloud-monitor/webapp.toml (root:cloud-monitor 640)"
    assert f"cannot see  {file}: only root may look there" in after
    assert "is so       folder /var/lib/cloud-monitor/webapp" in after
    assert after.splitlines()[-1] == "0"


@ONLY_ROOT
def test_settings_that_systemd_and_a_shell_read_differently_are_told(tmp_path: Path) -> None:
    done = in_namespace(
        tmp_path,
        """
        $PYTHON -m worker setup --system --with none > /dev/null
        echo 'WORKER_AZURE_CONNECTION_STRING=AccountName=a;AccountKey=b' > /etc/cloud-monitor/worker.env
        $PYTHON -m worker setup --system --with none > /dev/null
        export WORKER_STATE_DIR=/var/lib/cloud-monitor/worker WORKER_DECIMER_ENGINE=stub
        export WORKER_RESULTS_URL="$T/results" WORKER_SCHEDULED_EVENTS_URL=off WORKER_SPOT_NOTICE_URL=off
        $PYTHON -m worker config check > /dev/null
        $PYTHON -m worker run --until-empty 2>&1 > /dev/null | grep '^warning: /etc' >&2
        """,
    )
    told = "warning: /etc/cloud-monitor/worker.env: line 1: systemd and a shell do not read "
    lines = [line for line in done.stderr.splitlines() if line.startswith("warning: /etc")]
    assert len(lines) == 3, done.stderr
    assert all(line.startswith(f"{told}WORKER_AZURE_CONNECTION_STRING alike: put") for line in lines)
