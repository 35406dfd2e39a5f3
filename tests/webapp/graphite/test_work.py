"""What a request would cost the store is known before the store is asked."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.services.graphite import Graphite
from tests.services.proxy import run_proxy
from tests.services.support import wait_until
from tests.webapp.feed import feed
from webapp import create_app
from webapp.errors import RequestRefused
from webapp.graphite.targets import check_target, check_work, count_series, points_of
from webapp.graphite.timerange import Range
from webapp.model.tree import Value
from webapp.poll.state_files import Polled, write_polled
from webapp.settings import Settings

NOW = 1_800_000_000
DAY_S = 86400
PATHS = [f"grids.g{grid}.clouds.c{cloud}.vms.t.running" for grid in range(3) for cloud in range(40)]
PATHS += ["grids.g0.jobs.all.idle", "grids.g0.clouds.c0.vms.t.running.not", "grids.g0.clouds.c0.vms.t.error"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("grids.*.clouds.*.vms.*.running", 120),
        ("grids.g1.clouds.*.vms.*.running", 40),
        ("grids.*.clouds.c7.vms.t.running", 3),
        ("grids.g1.clouds.c7.vms.t.running", 1),
        ("grids.unknown.clouds.*.vms.t.running", 1),
    ],
)
def test_a_target_reads_the_series_that_are_known(text: str, found: int) -> None:
    assert count_series(check_target(text), PATHS, 1000) == found
    assert count_series(check_target(text), PATHS, 2) == min(found, 2)


@pytest.mark.parametrize(
    ("from_age_s", "until_age_s", "points"),
    [
        (3600, 0, 60),
        (30 * DAY_S, 0, 43_200),
        (31 * DAY_S, 30 * DAY_S, 144),  # what is older is kept every ten minutes
        (365 * DAY_S, 0, 52_560),
        (3650 * DAY_S, 0, 87_600),
        (10, 0, 1),
    ],
)
def test_points_follow_from_what_stores_keep(from_age_s: int, until_age_s: int, points: int) -> None:
    assert points_of(Range(NOW - from_age_s, NOW - until_age_s), NOW) == points


def test_what_is_too_much_is_refused_with_what_to_narrow() -> None:
    targets = [check_target("grids.g0.jobs.all.idle"), check_target("grids.*.clouds.*.vms.*.running")]
    check_work(targets, Range(NOW - 30 * DAY_S, NOW), NOW, PATHS, 121 * 43_200)
    with pytest.raises(RequestRefused) as caught:
        check_work(targets, Range(NOW - 30 * DAY_S, NOW), NOW, PATHS, 120 * 43_200)
    assert (caught.value.status, caught.value.code) == (400, "too_much_work")
    assert "names in place of * in grids.*.clouds.*.vms.*.running" in caught.value.message
    assert (
        "121 series or more over 30 days are 5,227,200 stored points, and 5,184,000" in caught.value.message
    )
    check_work(targets[:1], Range(NOW - 3660 * DAY_S, NOW), NOW, PATHS, 10_000)  # one series is always read


def test_graphite_never_hears_of_it(graphite: Graphite, tmp_path: Path) -> None:
    now = int(time.time()) // 60 * 60
    values = [Value(f"grids.work.clouds.c{n}.vms.t.running", 1.0, now) for n in range(200)]
    feed(graphite, values)
    write_polled(tmp_path, Polled(now, values))
    wide = "grids.work.clouds.*.vms.*.running"
    with run_proxy(graphite.url) as proxy:
        settings = Settings(graphite_url=proxy.url, state_dir=tmp_path, graphite_timeout_s=60)
        client = create_app(settings, poll=False).test_client()
        for path in ("/api/series", "/export"):
            answer = client.get(path, query_string={"target": wide, "from": "-10y"})
            assert (answer.status_code, "shorter range" in answer.text) == (400, True), path
        assert proxy.passed == []
        day = {"target": wide, "from": "-1d", "points": 1440}
        wait_until(
            lambda: 200.0 in client.get("/api/series", query_string=day).get_json()["series"][0]["values"],
            "the sum of a day",
        )
