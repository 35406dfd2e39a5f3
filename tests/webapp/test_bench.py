"""The page's benchmarks still run, and print what they promise."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.services.apache import need_apache
from tests.services.needs import find_program, need

CHECKOUT = Path(__file__).resolve().parent.parent.parent


def run_tiny(name: str) -> list[dict[str, object]]:
    need("programs")
    command = [sys.executable, "-m", f"bench.{name}", "--tiny"]
    ran = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=280, check=False)
    assert ran.returncode == 0, ran.stderr[-2000:]
    lines = [json.loads(line) for line in ran.stdout.splitlines()]
    assert all({"name", "value", "unit"} <= set(line) for line in lines)
    return lines


@pytest.mark.timeout(300)
def test_web() -> None:
    need_apache()
    find_program("wrk", "wrk")
    found = {str(line["name"]): line for line in run_tiny("web")}
    for name in ("web_static", "web_page", "web_304", "web_api_status"):
        assert found[name]["against"] == "a Flask view returning ready bytes"
        assert f"{name}_p99" in found


@pytest.mark.timeout(300)
@pytest.mark.victoriametrics
@pytest.mark.usefixtures("browser")
def test_scale() -> None:
    names = [str(line["name"]) for line in run_tiny("scale")]
    assert names == [
        f"scale_500_{what}" for what in ("poll_s", "memory_mb", "peak_mb", "page_kb", "interactive_s")
    ]


@pytest.mark.timeout(300)
def test_inventory() -> None:
    found = {str(line["name"]): line for line in run_tiny("inventory")}
    for name in ("inventory_put", "inventory_filter"):
        assert found[name]["against"] == "a Flask view that writes and filters a file"
    assert {"inventory_page", "inventory_page_304", "inventory_file", "inventory_memory_after"} <= set(found)


def test_alerts() -> None:
    (line,) = run_tiny("alerts")
    assert (line["name"], line["unit"]) == ("alerts_200_figures_10_rules", "s")


def test_alerts_memory() -> None:
    found = {str(line["name"]): line for line in run_tiny("alerts_memory")}
    assert found["alerts_memory_while_sending"]["limit"] == 80


@pytest.mark.timeout(300)
@pytest.mark.graphite
@pytest.mark.victoriametrics
def test_plots() -> None:
    found = {str(line["name"]): line for line in run_tiny("plots")}
    for store in ("victoriametrics", "graphite"):
        assert found[f"plots.{store}.day"]["against"] == "thinned out by the store"
        assert found[f"plots.{store}.year_86400"]["rows"] in (1, 2)
        assert found[f"plots.{store}.peak"]["value"] > 0  # type: ignore[operator]
        assert {f"plots.{store}.largest_export", f"plots.{store}.largest_api_series"} <= set(found)


@pytest.mark.timeout(300)
def test_gallery() -> None:
    found = {str(line["name"]): line for line in run_tiny("gallery")}
    for what in ("text", "text_of_none", "text_of_all"):
        assert found[f"gallery_sqlite_{what}"]["against"].startswith("the texts' bare LIKE")
    for what in ("first", "not_a_molecule", "failed", "below", "folder", "note_of_none", "result"):
        assert found[f"gallery_sqlite_{what}"]["against"] == "reading the whole batch and sorting it"
    assert found["gallery_sqlite_pages"]["value"] == 4
    assert {"gallery_sqlite_memory_before", "gallery_sqlite_memory_after"} <= set(found)
    for what in ("fleet_figures", "fleet", "failed_of_all", "chunks"):
        assert found[f"gallery_sqlite_{what}"]["ratio"] > 0
    assert found["gallery_sqlite_export_size"]["value"] > 0
