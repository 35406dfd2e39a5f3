"""A fleet that `pause --all` holds is told in the head of every page, and in what each refresh asks for."""

from __future__ import annotations

from pathlib import Path

import pytest

from cloud_monitor.metrics.paths import STEP_S, build_path
from tests.webapp.sample import NOW, clock, sample_values, write_sample
from webapp import create_app
from webapp.model.tree import Value
from webapp.poll.state_files import Polled, write_polled
from webapp.settings import read_settings

TOLD = "The whole fleet of atlas is held: nothing is claimed until resume --all."


@pytest.mark.parametrize(("mark", "age_s", "is_told"), [(1, 0, True), (0, 0, False), (1, 3600, False)])
def test_every_page_says_that_a_fleet_is_held(tmp_path: Path, mark: int, age_s: int, is_told: bool) -> None:
    write_sample(tmp_path)
    now = NOW + 20.0
    minute = int(now) // STEP_S * STEP_S - age_s
    held = Value(build_path("fleet_held", grid="atlas"), float(mark), minute)
    write_polled(tmp_path, Polled(now, [*sample_values(now), held]))
    client = create_app(read_settings(state_dir=tmp_path), poll=False, clock=clock).test_client()
    for page in (
        "/",
        "/grids/belle",
        "/grids/belle/clouds/cern",
        "/held",
        "/fleet",
        "/machines",
        "/alerts",
        "/plot",
    ):
        banner = client.get(page).text.split('id="banner"')[1].split("</div>")[0]
        assert (TOLD in banner) == is_told, page
    assert client.get("/?part=cells").json["held"] == (TOLD if is_told else "")
