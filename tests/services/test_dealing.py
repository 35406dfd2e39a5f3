"""Who shares what is dear to set up is dealt out together, and every place that is named for it is there."""

from __future__ import annotations

import pytest

from tests.services.dealing import TOGETHER, unit_of
from tests.services.made import ROOT


def test_files_are_dealt_out_by_themselves_or_with_those_they_share_with() -> None:
    assert unit_of("tests/webapp/test_main.py::test_a[x::y]") == "tests/webapp/test_main.py"
    assert unit_of("tests/browser/test_lists.py::test_a") == unit_of("tests/browser/test_plots.py::test_b")


def test_every_place_is_there() -> None:
    assert [place for place in TOGETHER if not (ROOT / place).exists()] == []


def test_every_test_that_shares_the_pool_or_the_deployment_is_in_its_unit(
    request: pytest.FixtureRequest,
) -> None:
    for fixture in ("condor_pool", "deployment"):
        users = [item for item in request.session.items if fixture in getattr(item, "fixturenames", ())]
        assert len({unit_of(item.nodeid) for item in users}) <= 1
