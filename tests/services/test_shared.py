"""A service that several processes share: started once, and stopped when the last has done with it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.services.made import ROOT
from tests.services.support import wait_until

USER = """
import sys
from contextlib import contextmanager
from pathlib import Path
from tests.services.shared import close_all, share

@contextmanager
def run(folder):
    (folder / "started").touch()
    yield folder
    (folder / "stopped").touch()

used = share(Path(sys.argv[1]), "it", run, lambda folder: {"at": str(folder)}, lambda told: Path(told["at"]))
print(used, flush=True)
sys.stdin.readline()
close_all()
"""


def start(folder: Path) -> tuple[subprocess.Popen[str], str]:
    process = subprocess.Popen(
        [sys.executable, "-c", USER, folder],
        cwd=ROOT,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def test_it_is_started_once_and_stopped_after_the_last_has_ended(tmp_path: Path) -> None:
    first, place = start(tmp_path)
    second, same = start(tmp_path)
    third, also = start(tmp_path)
    assert place == same == also
    assert first.stdin is not None
    first.stdin.write("\n")
    first.stdin.flush()
    wait_until(lambda: not (tmp_path / "it.json").exists(), "the end of the first's session")
    second.communicate("\n")
    assert first.poll() is None
    third.kill()  # its lock goes with it
    third.communicate()
    first.communicate()
    assert (first.returncode, second.returncode) == (0, 0)
    assert {path.name for path in Path(place).iterdir()} == {"started", "stopped"}
    fourth, anew = start(tmp_path)
    fourth.communicate("\n")
    assert anew != place
