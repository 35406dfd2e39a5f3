"""The status page tells causes, with their symptoms below them, and since when."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from cloud_monitor.metrics.paths import build_path
from tests.webapp.sample import NOW, clock, sample_values, write_sample
from webapp import create_app
from webapp.model.build import build_snapshot
from webapp.model.conditions import note_conditions
from webapp.model.judge import judge_health
from webapp.model.snapshot_view import SnapshotView
from webapp.model.tree import Value
from webapp.poll.state_files import Polled, read_outcome, write_outcome, write_polled
from webapp.settings import Settings


def page_of(state_dir: Path, address: str = "/") -> str:
    return create_app(Settings(state_dir=state_dir), poll=False, clock=clock).test_client().get(address).text


def test_a_poll_that_fails_is_the_one_cause_and_leads_to_no_card(tmp_path: Path) -> None:
    write_sample(tmp_path)
    failed = replace(read_outcome(tmp_path), error="http://graphite <b>500</b>", failures=1)
    write_outcome(tmp_path, failed)
    attention = page_of(tmp_path).split('class="attention"')[1].split("</section>")[0]
    first = attention.split("</div>")[0]
    assert "<b>Graphite</b>" in first
    assert "poll fails: http://graphite &lt;b&gt;500&lt;/b&gt;" in first
    outside = attention.split("<details")[0] + attention.split("</details>")[1]
    assert outside.count("<li>") == 1
    assert "quiet" in attention.split("<details")[1]


def test_pages_say_since_when_a_condition_holds(tmp_path: Path) -> None:
    """A heartbeat of 0 for two hours and five minutes, on every page that tells of it."""
    write_sample(tmp_path)
    at, path = NOW + 20 - 7500, build_path("heartbeat", grid="belle", service="condor")
    values = [
        Value(path, 0.0, value.timestamp) if value.path == path else value
        for value in sample_values(NOW + 20)
    ]
    write_polled(tmp_path, Polled(NOW + 20.0, values))
    outcome = replace(read_outcome(tmp_path), finished_at=float(at))
    past = build_snapshot(at, [Value(path, 0.0, at)])
    rules = Settings().health_rules
    note_conditions(tmp_path, judge_health(SnapshotView(past, outcome, at, 180), rules), at, 1000)
    for address in ("/", "/grids/belle", "/grids/belle/hosts/belle"):
        page = page_of(tmp_path, address)
        assert "HTCondor does not answer" in page
        assert "for 2 h 5 min" in page, address
    assert 'class="event heartbeat_lost"' in page_of(tmp_path)


def test_a_memory_that_is_broken_costs_no_page(tmp_path: Path) -> None:
    write_sample(tmp_path)
    (tmp_path / "conditions.sqlite").write_bytes(b"no database" * 100)
    assert "Nothing has happened yet" in page_of(tmp_path)
