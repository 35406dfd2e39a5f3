"""The commands as an operator types them, on a real queue and real storages."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from rdkit.Chem import SDMolSupplier

from cloud_monitor.system.process import acting_user
from tests.services.azurite import Azurite
from tests.services.needs import need
from tests.services.postgres import Postgres
from tests.services.programs import run_for_bytes
from tests.services.support import open_way_to, wait_until
from tests.worker.queue.helpers import answers, claim, complete, queue_at
from worker.__main__ import run
from worker.answers.notes import Note
from worker.commands.run import warn_of_results
from worker.exports.base import CHEMISTRY, COLUMNS, OF_0_2_0, WITHOUT_LISTS, ExportRefused
from worker.exports.csv import CsvFormat
from worker.exports.export import export_to_file
from worker.queue import HostReport, Queue, Result, ResultRow, StatedNeed, Usage
from worker.queue.machines.machines import Offer, change_group
from worker.queue.statistics.queue import read_figures
from worker.settings import read_settings

ROOT = Path(__file__).parents[2]


class Fleet:
    """`worker(...)` runs a command and gives its standard output, or on failure what it said of that; `run`
    runs it in a process of its own.
    """

    def __init__(self, folder: Path, url: str) -> None:
        self.images = folder / "images"
        self.url = url
        self.environment = {
            **os.environ,
            "WORKER_DATABASE_URL": url,
            "WORKER_STORAGE_URL": str(self.images),
            "WORKER_RESULTS_URL": str(folder / "results"),
            "WORKER_STATE_DIR": str(folder / "state"),
        }

    def add_images(self, directory: str, count: int) -> None:
        (self.images / directory).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            (self.images / directory / f"{number:03}.png").write_bytes(b"x")

    def run(self, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        return run_for_bytes("worker", *arguments, environment=self.environment)

    def worker(self, *arguments: str, exit_code: int = 0) -> str:
        runner = CliRunner()
        with (
            runner.isolation(env=self.environment) as (output, errors, _),
            pytest.MonkeyPatch.context() as patch,
        ):
            patch.setattr(sys, "argv", ["worker", *arguments])
            with pytest.raises(SystemExit) as ended:
                run()
        said = errors.getvalue().decode()
        assert ended.value.code == exit_code, said
        return output.getvalue().decode() if exit_code == 0 else said

    def queue(self) -> Queue:
        return queue_at(self.url)


@pytest.fixture
def new_fleet(tmp_path: Path) -> Fleet:
    """Without a queue."""
    return Fleet(tmp_path, f"sqlite:///{tmp_path / 'queue.db'}")


@pytest.fixture
def fleet(new_fleet: Fleet) -> Fleet:
    new_fleet.queue().close()
    return new_fleet


def test_enqueue_is_idempotent_and_incremental(new_fleet: Fleet) -> None:
    fleet = new_fleet
    fleet.add_images("a", 5)
    fleet.add_images("b/c", 2)
    first = fleet.worker("enqueue", ".", "--name", "run-1", "--priority", "3", "--deadline", "4h")
    assert "batch run-1: 7 images in 2 directories; new: 7 images in 2 chunks" in first
    assert "new: 0 images in 0 chunks" in fleet.worker("enqueue", ".", "--name", "run-1")
    fleet.add_images("b", 1)
    assert "new: 1 images in 1 chunks" in fleet.worker("enqueue", str(fleet.images), "--name", "run-1")
    queue = fleet.queue()
    held = claim(queue)
    assert (held.batch, held.directory, held.priority) == ("run-1", "a", 3)
    assert held.deadline is not None
    assert abs(held.deadline - time.time() - 4 * 3600) < 100
    queue.close()


def test_what_is_excluded_is_neither_listed_nor_enqueued(fleet: Fleet) -> None:
    for directory in ("a", "a/lost+found", "b"):
        fleet.add_images(directory, 2)
    (fleet.images / "b/thumb-1.png").write_bytes(b"x")
    options = ("--exclude", "lost+found", "--exclude", "b/thumb-*")
    assert "batch x: 4 images in 2 directories;" in fleet.worker("enqueue", ".", "--name", "x", *options)
    assert "batch y: 7 images in 3 directories;" in fleet.worker("enqueue", ".", "--name", "y")


def test_what_cannot_be_enqueued_is_said(fleet: Fleet) -> None:
    fleet.images.mkdir()
    (fleet.images / "notes.txt").write_text("")
    assert "no images in" in fleet.worker("enqueue", ".", exit_code=1)
    assert "cannot list /now�[2Jhere" in fleet.worker("enqueue", "/now\x1b[2Jhere", exit_code=1)
    fleet.add_images("a", 1)
    for deadline, words in (
        ("soon", "--deadline 'soon'"),
        ("", "--deadline ''"),
        ("2020-01-01", "in the past"),
        ("9" * 400 + "d", "after the year 9999"),
    ):
        assert words in fleet.worker("enqueue", ".", "--deadline", deadline, exit_code=1)
    assert "--name '../x'" in fleet.worker("enqueue", ".", "--name", "../x", exit_code=1)
    fleet.worker("enqueue", ".", "--name", "b")
    assert "choose another --name" in fleet.worker("enqueue", "a", "--name", "b", exit_code=1)


def test_a_need_that_nothing_carries_is_refused_by_the_names_of_the_groups(fleet: Fleet) -> None:
    fleet.add_images("a", 1)
    fleet.worker("enqueue", ".", "--name", "any", "--memory-mb", "900000", "--cpus", "2.5")
    queue = fleet.queue()
    assert queue.outstanding().stated == ((StatedNeed(900_000, 2.5), 1),), "without groups it is taken"
    places = [asdict(Offer("north/small", memory_gb=4, cores=2))]
    queue.database.write(lambda connection: change_group(connection, "workers", offers=places))
    refused = fleet.worker("enqueue", ".", "--name", "large", "--memory-mb", "5000", exit_code=1)
    assert (
        "no group of machines carries a worker of 5,000 MB: workers (north/small: 3,600 MB and 2 CPUs)"
        in refused
    )
    host = HostReport("own", "local", 0, 0, 1, 1, 0, {"memory_limit_bytes": 64e9, "cpus": 16})
    queue.report_host(host)
    fleet.worker("enqueue", ".", "--name", "large", "--memory-mb", "5000")
    queue.close()


def test_results_do_not_become_images(fleet: Fleet) -> None:
    fleet.add_images("a", 1)
    (fleet.images / "results").mkdir()
    (fleet.images / "results/x.png").write_bytes(b"")
    fleet.environment["WORKER_RESULTS_URL"] = str(fleet.images / "results")
    assert "1 images in 1 directories" in fleet.worker("enqueue", ".")


def test_operators_commands(fleet: Fleet) -> None:
    fleet.add_images("a", 2)
    fleet.worker("enqueue", "a", "--name", "b")
    assert fleet.worker("pause", "b") == "paused 1 chunk\n"
    assert fleet.worker("resume", "b") == "resumed 1 chunk\n"
    assert fleet.worker("cancel", "--chunk", "1") == "cancelled 1 chunk\n"
    assert fleet.worker("retry", "b") == "put back 1 chunk\n"
    said = [(event.kind, event.message) for event in read_figures(fleet.url).events]
    who = f", by {acting_user()} on {socket.gethostname()}"
    assert said[:4] == [
        ("retry", f"batch b: 1 chunk{who}"),
        ("cancel", f"chunk 1: 1 chunk{who}"),
        ("resume", f"batch b: 1 chunk{who}"),
        ("pause", f"batch b: 1 chunk{who}"),
    ]
    assert "there is no batch c" in fleet.worker("retry", "c", exit_code=1)
    assert "name a batch" in fleet.worker("cancel", exit_code=2)
    with closing(fleet.queue()) as queue:
        complete(queue, claim(queue))
    assert "batch b is done: it cannot be paused" in fleet.worker("pause", "b", exit_code=1)


def test_only_enqueue_makes_a_queue(new_fleet: Fleet, tmp_path: Path) -> None:
    fleet = new_fleet
    for command in (["pause", "b"], ["results"], ["prune"]):
        said = fleet.worker(*command, exit_code=1)
        assert "queue.db: there is no such file; `enqueue` makes it" in said
    assert list(tmp_path.iterdir()) == []


def test_prune_sweeps_what_no_chunk_counts(fleet: Fleet, tmp_path: Path) -> None:
    fleet.add_images("a", 1)
    fleet.worker("enqueue", "a", "--name", "b")
    queue = fleet.queue()
    held = claim(queue)
    queue.store(held, answers(held))
    queue.finish(held, Usage(), "b/1/1/results.jsonl")
    queue.close()
    for name in ("1/results.jsonl", "0/partial.jsonl"):
        path = tmp_path / "results/b/1" / name
        path.parent.mkdir(parents=True)
        path.write_text("{}")
    assert fleet.worker("prune") == "swept 1 files; deleted nothing\n"
    assert [path.name for path in (tmp_path / "results").rglob("*.jsonl")] == ["results.jsonl"]
    assert "nan is no number of days" in fleet.worker("prune", "--days", "nan", exit_code=2)
    said = fleet.worker("prune", "--days", "0", exit_code=1)
    assert "batch b: 1 results, NEVER EXPORTED since it ended" in said
    assert "nothing was deleted: say --yes to delete 1 batch" in said
    assert fleet.run("results", "b").stdout.count(b"\n") == 2
    assert "NEVER" not in fleet.worker("prune", "--days", "0", exit_code=1)
    assert "1 batches" in fleet.worker("prune", "--days", "0", "--yes")
    assert [path.name for path in (tmp_path / "results").rglob("*.jsonl")] == ["results.jsonl"]


def test_a_model_that_nobody_has_is_refused(fleet: Fleet) -> None:
    fleet.environment["WORKER_DECIMER_ENGINE"] = "stub"
    fleet.add_images("a", 1)
    said = fleet.worker("enqueue", "a", "--name", "b", "--model", "decimer-x", exit_code=1)
    assert "--model decimer-x: no worker of this queue has had that model" in said
    assert "known: stub" in said
    fleet.worker("enqueue", "a", "--name", "b", "--model", "stub")
    queue = fleet.queue()
    assert queue.claim("w", "h", "stub", "stub") is not None
    queue.close()
    fleet.environment["WORKER_DECIMER_ENGINE"] = "onnx"
    fleet.environment["WORKER_MODEL_DIR"] = str(fleet.images / "none")
    fleet.worker("enqueue", "a", "--name", "c", "--model", "stub")


@pytest.mark.parametrize(
    "command", [["status"], ["status", "--json"], ["results"], ["--help"], ["run", "--help"]]
)
def test_a_full_standard_output_is_one_line(fleet: Fleet, command: list[str]) -> None:
    fleet.add_images("a", 1)
    fleet.worker("enqueue", "a", "--name", "b")
    full = Path("/dev/full")
    done = run_for_bytes("worker", *command, environment=fleet.environment, stdout=full)
    assert done.returncode == 1
    [line] = done.stderr.decode().splitlines()
    assert line.startswith("error: cannot write to standard output: No space left")


def test_a_user_without_a_home_needs_none(new_fleet: Fleet, tmp_path: Path) -> None:
    fleet = new_fleet
    need("root")
    if os.getuid() != 0:
        pytest.skip("only root can be another user")
    tmp_path.chmod(0o777)
    open_way_to(tmp_path)
    kept = {name: value for name, value in fleet.environment.items() if name.startswith("WORKER_")}
    status = ("-m", "worker", "status")
    done = subprocess.run(
        ["setpriv", "--reuid=54321", "--regid=54321", "--clear-groups", sys.executable, *status],
        cwd=ROOT, env={"PATH": "/usr/bin:/bin", **kept}, capture_output=True, check=False,
    )  # fmt: skip
    [line] = done.stderr.decode().splitlines()
    assert "there is no such file; `enqueue` makes it" in line, "not: no home"


NO_END = "no end within 302 tokens"
NASTY = 'C,"=1+1"\n\r\\N[€]'


def fill(fleet: Fleet) -> None:
    """Two directories; one is done, of the other, named like a formula, half has results, one an error."""
    queue = fleet.queue()
    names = [f"{number:03}.png" for number in range(4)]
    queue.add_directories(queue.add_batch("run", str(fleet.images)), [("a", names), ("=b", names)], 500)
    complete(queue, claim(queue))
    held = claim(queue)
    image = held.images[0].number, held.images[1].number
    results = [
        Result(
            image[0], NASTY, ("C", '"'), (0.5, 0.125), sha256="ab" * 32, notes=(Note("truncated", NO_END),)
        ),
        Result(image[1], None, error="X: y"),
    ]
    queue.release(queue.store(held, results), "later")
    queue.close()


def finish(fleet: Fleet) -> None:
    queue = fleet.queue()
    complete(queue, claim(queue))
    queue.close()


def directory_b(form: str) -> str:
    """Nothing in a CSV file begins like a formula."""
    return "./=b" if form == "csv" else "=b"


def rows_of(form: str, data: bytes) -> list[dict[str, Any]]:
    if form == "csv":
        return list(csv.DictReader(io.StringIO(data.decode(), newline="")))
    if form == "jsonl":
        return [json.loads(line) for line in data.decode().splitlines()]
    return list(pq.read_table(io.BytesIO(data)).to_pylist())


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_results_are_streamed_out(fleet: Fleet, form: str) -> None:
    fill(fleet)
    done = fleet.run("results", "--format", form, "--tokens")
    assert done.returncode == 0, done.stderr
    rows = rows_of(form, done.stdout)
    b = directory_b(form)
    images = [f"a/{n:03}.png" for n in range(4)] + [f"{b}/000.png", f"{b}/001.png"]
    assert [row["image"] for row in rows] == images
    assert rows[4]["smiles"] == NASTY
    assert rows[4]["sha256"] == "ab" * 32
    assert (rows[4]["engine"], rows[4]["model"], rows[4]["precision"], rows[4]["batch"]) == (
        "stub",
        "none",
        "full",
        "run",
    )
    assert rows[5]["error"] == "X: y"
    assert rows[5]["smiles"] in (None, "")
    lists = rows[4]["tokens"], rows[4]["confidences"]
    assert [json.loads(each) if form == "csv" else each for each in lists] == [["C", '"'], [0.5, 0.125]]
    sure = [rows[4]["least_confidence"], rows[4]["mean_confidence"]]
    assert sure == (["0.125", "0.3125"] if form == "csv" else [0.125, 0.3125])
    notes = {"csv": '{"truncated": "no end within 302 tokens"}', "parquet": [("truncated", NO_END)]}
    assert rows[4]["notes"] == notes.get(form, {"truncated": NO_END})
    assert rows[5]["least_confidence"] in (None, "")


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_results_are_chosen_by_how_sure_they_are(fleet: Fleet, form: str) -> None:
    fill(fleet)

    def images(*options: str) -> list[str]:
        return [
            row["image"] for row in rows_of(form, fleet.run("results", "--format", form, *options).stdout)
        ]

    b = directory_b(form)
    doubtful = [f"{b}/000.png", *(f"a/{n:03}.png" for n in range(4))]
    assert images("--sort", "confidence") == [*doubtful, f"{b}/001.png"]
    assert images("--doubtful", "--sort", "confidence") == doubtful
    assert images("run", "--min-confidence", "0.25") == doubtful[1:]
    fleet.environment["WORKER_DOUBTFUL_BELOW"] = "0.2"
    assert images("--doubtful") == doubtful[:1]
    for options in ((), ("--no-tokens",)):
        lean = rows_of(form, fleet.run("results", "--format", form, *options).stdout)
        assert list(lean[0]) == list(WITHOUT_LISTS)
    said = fleet.worker("results", "--resume", "--output", "x", "--doubtful", exit_code=2)
    assert "--resume goes on with all results" in said


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_results_have_chemistry_and_duplicates_on_request(fleet: Fleet, form: str) -> None:
    fill_chemistry(fleet)
    rows = rows_of(form, fleet.run("results", "--format", form, "--chemistry").stdout)
    assert list(rows[0]) == [*WITHOUT_LISTS, *CHEMISTRY]
    assert [row["canonical_smiles"] for row in rows] == ["CCO", "CCO", "", ""]
    assert [row["duplicate_of"] for row in rows] == ["", f"{directory_b(form)}/0.png", "", ""]
    assert rows[0]["formula"] == "C2H6O"
    assert float(rows[0]["mass"]) == 46.069
    assert rows[2]["refused"] == "ring bond 1 is not closed"
    assert rows[2]["smiles"] == "C1"
    said = fleet.worker("results", "--resume", "--output", "x", "--chemistry", exit_code=2)
    assert "--resume does not know --chemistry" in said


def test_an_sdf_file_has_a_record_for_every_image(fleet: Fleet, tmp_path: Path) -> None:
    """As RDKit reads it; names and errors are no marks of its format."""
    fill_chemistry(fleet)
    path = tmp_path / "out.sdf"
    fleet.worker("results", "--format", "sdf", "--output", str(path))
    records = list(SDMolSupplier(str(path)))
    assert [record.GetNumAtoms() for record in records] == [3, 3, 0, 0]
    assert [record.GetProp("_Name") for record in records] == [f"=b/{name}.png" for name in range(4)]
    assert [record.HasProp("duplicate_of") for record in records] == [0, 1, 0, 0]
    assert records[2].GetProp("refused") == "ring bond 1 is not closed"
    assert records[3].GetProp("error") == "X: a\ufffd$$$$\ufffd>  <smiles>"
    assert records[1].GetProp("smiles") == "OCC"
    assert float(records[1].GetProp("least_confidence")) == 0.5


def fill_chemistry(fleet: Fleet) -> None:
    queue = fleet.queue()
    batch = queue.add_batch("run", str(fleet.images))
    queue.add_directories(batch, [("=b", [f"{number}.png" for number in range(4)])], 500)
    held = claim(queue)
    found = [Result(number, smiles, ("C",), (0.5,)) for number, smiles in enumerate(("CCO", "OCC", "C1"))]
    error = Result(3, None, error="X: a\n$$$$\n>  <smiles>")
    queue.finish(queue.store(held, [*found, error]), Usage())
    queue.close()


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_an_export_of_an_earlier_version_is_gone_on_with(fleet: Fleet, form: str, tmp_path: Path) -> None:
    """In its own columns."""
    fill(fleet)
    output = tmp_path / f"out.{form}"
    queue = fleet.queue()
    export_to_file(queue, form, output, "run", resume=False, columns=OF_0_2_0)
    queue.close()
    finish(fleet)
    fleet.worker("results", "--format", form, "--output", str(output), "--resume")
    rows = pq.read_table(output).to_pylist() if form == "parquet" else rows_of(form, output.read_bytes())
    assert len(rows) == 8
    assert [list(row) for row in rows] == [list(OF_0_2_0)] * 8


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_an_export_is_gone_on_with_in_its_own_columns(fleet: Fleet, form: str, tmp_path: Path) -> None:
    """With the tokens, though they are not asked for again; what RDKit added is not made up."""
    fill(fleet)
    whole, chemical = tmp_path / f"whole.{form}", tmp_path / f"chemical.{form}"
    options = ("--format", form, "--output")
    fleet.worker("results", *options, str(whole), "--tokens")
    fleet.worker("results", *options, str(chemical), "--chemistry")
    finish(fleet)
    fleet.worker("results", *options, str(whole), "--resume")
    rows = pq.read_table(whole).to_pylist() if form == "parquet" else rows_of(form, whole.read_bytes())
    assert [list(row) for row in rows] == [list(COLUMNS)] * 8
    said = fleet.worker("results", *options, str(chemical), "--resume", exit_code=1)
    assert said.startswith(f"error: {chemical}")
    assert "columns" in said


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_an_export_is_resumed_where_it_was_cut_off(fleet: Fleet, form: str, tmp_path: Path) -> None:
    fill(fleet)
    output = tmp_path / f"out.{form}"
    options = ("--format", form, "--output", str(output))
    fleet.worker("results", *options)
    assert "add --resume" in fleet.worker("results", *options, exit_code=1)
    if form == "parquet":
        (output / "part-00002.parquet.partial").write_bytes(b"PAR1")
    else:
        output.write_bytes(output.read_bytes()[:-20])  # the last result is torn
    finish(fleet)
    fleet.worker("results", *options, "--resume")
    fleet.worker("results", *options, "--resume")
    rows = pq.read_table(output).to_pylist() if form == "parquet" else rows_of(form, output.read_bytes())
    b = directory_b(form)
    images = [f"{directory}/{n:03}.png" for directory in ("a", b) for n in range(4)]
    assert sorted(row["image"] for row in rows) == sorted(images)
    assert [row["smiles"] for row in rows if row["image"] == f"{b}/000.png"] == [NASTY]


def test_every_path_can_be_told_from_a_csv_file(tmp_path: Path) -> None:
    names = ["a.png", "=a.png", "./a.png", "./=a.png"]
    rows = [ResultRow("b", 1, name, Result(1, "C"), "", "", "", "", 0) for name in names]
    path = tmp_path / "results.csv"
    with path.open("wb") as file:
        CsvFormat().write(rows, file)
    assert [image for _, image in CsvFormat().keys(path)] == names


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_no_text_of_a_csv_file_is_a_formula(start: str) -> None:
    """A SMILES stays what a parser of SMILES reads; one that is none is not changed either."""
    evil = f"{start}cmd|' /C calc'!A0"
    result = Result(0, evil, error=evil, precision=evil)
    row = ResultRow(evil, 1, f"{start}x.png", result, evil, evil, evil, evil, 0.0)
    stream = io.BytesIO()
    CsvFormat().write([row], stream)
    [read] = csv.DictReader(io.StringIO(stream.getvalue().decode(), newline=""))
    assert not [name for name, text in read.items() if text.startswith(("=", "+", "-", "@", "\t", "\r"))]
    assert read["smiles"].removeprefix(" ") == evil
    assert read["image"] == f"./{start}x.png"
    plain = replace(row, result=Result(0, "[Na+].C=C"), host="vm-1")
    stream = io.BytesIO()
    CsvFormat().write([plain], stream)
    [read] = csv.DictReader(io.StringIO(stream.getvalue().decode(), newline=""))
    assert (read["smiles"], read["host"], read["error"]) == ("[Na+].C=C", "vm-1", "")


def test_another_file_is_not_gone_on_with(fleet: Fleet, tmp_path: Path) -> None:
    queue = fleet.queue()
    for form, text in (
        ("csv", "a,b\n1,2\n"),
        ("csv", "one line without an end"),
        ("jsonl", '{"a": 1}\n'),
        ("jsonl", '{"a": 1}\n{"b": 2}'),
    ):
        path = tmp_path / f"mine.{form}"
        path.write_text(text)
        with pytest.raises(ExportRefused, match=rf"mine\.{form}"):
            export_to_file(queue, form, path, None, resume=True)
        assert path.read_text() == text
    queue.close()


def test_a_place_that_cannot_be_written_to_is_named(fleet: Fleet) -> None:
    fleet.queue().close()
    said = fleet.worker("results", "--output", "/nowhere/x.csv", exit_code=1)
    assert said == "error: cannot write to /nowhere/x.csv: No such file or directory\n"


def test_an_interrupted_enqueue_is_gone_on_with(fleet: Fleet) -> None:
    for number in range(200):  # more than is added at once
        fleet.add_images(f"d{number}", 30)
    command = [sys.executable, "-m", "worker", "enqueue", ".", "--name", "b"]
    process = subprocess.Popen(command, cwd=ROOT, env=fleet.environment, stdout=subprocess.DEVNULL)
    queue = fleet.queue()
    wait_until(lambda: queue.outstanding().pending > 0 or process.poll() is not None, "a first directory")
    process.send_signal(signal.SIGKILL)
    process.wait()
    said = fleet.worker("enqueue", ".", "--name", "b")
    assert "6000 images in 200 directories" in said
    assert queue.outstanding().pending == 200
    queue.close()


def test_from_azure_with_postgresql(azurite: Azurite, postgres: Postgres, tmp_path: Path) -> None:
    container = azurite.create_container()
    for key in ("a/1.png", "a/2.png", "b/c/3.png", "cloud-monitor-results/run/1/1/results.jsonl"):
        azurite.container(container).upload_blob(f"in/{key}", b"x")
    fleet = Fleet(tmp_path, postgres.create_database())
    fleet.environment |= {
        "WORKER_STORAGE_URL": f"azure://{container}/in",
        "WORKER_RESULTS_URL": "",
        "AZURE_STORAGE_CONNECTION_STRING": azurite.connection_string,
    }
    said = fleet.worker("enqueue", ".", "--name", "run")
    assert "3 images in 2 directories; new: 3 images in 2 chunks" in said
    assert "4 requests to storage" in said
    queue = fleet.queue()
    held = claim(queue)
    assert held.source == f"azure://{container}/in"
    complete(queue, held)
    queue.close()
    assert len(rows_of("csv", fleet.run("results").stdout)) == len(held.images)


def test_a_results_container_that_is_missing_is_named_where_people_look(
    azurite: Azurite, fleet: Fleet, capsys: pytest.CaptureFixture[str]
) -> None:
    fleet.add_images("d", 1)
    fleet.environment |= {
        "WORKER_RESULTS_URL": "azure://nowhere/to/go",
        "AZURE_STORAGE_CONNECTION_STRING": azurite.connection_string,
    }
    told = "azure://nowhere/to/go: there is no such container: create it"
    assert told in fleet.run("enqueue", ".", "--name", "b").stderr.decode()
    assert told in " ".join(fleet.run("status").stdout.decode().split())
    assert told in json.loads(fleet.run("status", "--json").stdout)["results_obstacle"]
    warn_of_results(read_settings(fleet.environment))
    assert f"warning: results cannot be stored: {told}" in capsys.readouterr().err
