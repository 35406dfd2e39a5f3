"""Which size a preset is, where the next machine goes, what a month costs."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from worker.machines.decide import month_cost, month_start
from worker.machines.model import MachineSize
from worker.machines.placement import PlaceView, Preset, choose_place, smallest_fitting

SIZES = [
    MachineSize("gpu8", 8, 32, gpus=1),
    MachineSize("c16", 16, 64),
    MachineSize("c8", 8, 31.4),
    MachineSize("c8-slow", 8, 32, bandwidth_mbps=100),
    MachineSize("m4", 4, 64),
    MachineSize("d2", 2, 8, storage_gb=20, storage_fixed=True),
    MachineSize("d3", 3, 8, storage_gb=200, storage_fixed=True),
]
NOW = datetime(2026, 2, 15, 12, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("preset", "name"),
    [
        (Preset(cores=8, memory_gb=32, bandwidth_mbps=1000), "c8"),
        (Preset(cores=8, memory_gb=32, gpus=1), "gpu8"),
        (Preset(cores=2, memory_gb=60), "m4"),
        (Preset(cores=32, memory_gb=1), None),
        (Preset(cores=2, memory_gb=8), "d2"),
        (Preset(cores=2, memory_gb=8, storage_gb=100), "d3"),
        (Preset(cores=2, memory_gb=8, storage_gb=500), "m4"),
    ],
)
def test_the_smallest_size_that_has_all_of_it(preset: Preset, name: str | None) -> None:
    found = smallest_fitting(SIZES, preset)
    assert (found and found.name) == name


def test_where_prices_are_known_the_cheapest_is_taken() -> None:
    sizes = [MachineSize("small", 2, 4, price_per_hour=0.4), MachineSize("large", 4, 8, price_per_hour=0.3)]
    found = smallest_fitting(sizes, Preset(cores=1, memory_gb=1))
    assert found is not None
    assert found.name == "large"


OWN = PlaceView("own", 3, room=0, price_per_hour=0)
BIG = PlaceView("big", 1, price_per_hour=4, images_per_s=8)
SMALL = PlaceView("small", 0, price_per_hour=1, images_per_s=1)
SPOT = PlaceView("spot", 0, price_per_hour=0.2, spot=True)


def test_each_policy_takes_its_place_and_a_full_one_is_passed_over() -> None:
    places = [OWN, BIG, SMALL]
    assert choose_place(places, "in_order", 0, NOW).place == "big"
    assert choose_place(places, "spread", 0, NOW).place == "small"
    assert choose_place(places, "cheapest", 0, NOW).place == "big"  # 0.5 against 1 for an image a second


def test_spot_machines_are_taken_up_to_their_share() -> None:
    there = PlaceView("spot", 1, spot=True)
    assert choose_place([BIG, SPOT], "in_order", 0.5, NOW).place == "spot"
    assert choose_place([BIG, there], "in_order", 0.5, NOW).place == "big"
    assert choose_place([SPOT], "in_order", 0, NOW).place is None


def test_where_nothing_is_left_each_place_says_why() -> None:
    refused = PlaceView("sun", 0, retry_at=NOW + 30, fault="Quota exceeded")
    choice = choose_place([OWN, refused], "cheapest", 1, NOW)
    assert choice.place is None
    assert choice.reason == "own has no room left; sun is asked again in 30 s: Quota exceeded"


def test_a_month_is_reckoned_to_its_end_and_a_cap_looks_an_hour_ahead() -> None:
    assert month_start(NOW) == datetime(2026, 2, 1, tzinfo=UTC).timestamp()
    cost = month_cost(100, 2, NOW, 103)
    assert cost.projected == 100 + 2 * 13.5 * 24
    assert cost.refusal == ""
    assert "102.00 of 103 are spent" in month_cost(102, 2, NOW, 103).refusal
