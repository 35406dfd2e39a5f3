"""The markers themselves: what leads to a service is found, and what is not marked is refused."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.services import graphite
from tests.services.made import ROOT
from tests.services.needs import SERVICES, need, reached

NOT_MARKED = next(iter(SERVICES))  # not written out: it would mark this file's tests


def by_a_module() -> None:
    with graphite.run_graphite(ROOT):
        pass


class Starter:
    @property
    def started(self) -> None:
        return by_a_module()


def by_a_class() -> object:
    return [(lambda: Starter().started) for _ in range(1)]


def test_what_leads_to_a_service_is_found() -> None:
    assert reached(by_a_module) == {"graphite"}
    assert reached(by_a_class) == {"graphite"}
    assert reached(subprocess.run) == set()


def test_the_tests_that_need_nothing_are_fast(request: pytest.FixtureRequest) -> None:
    assert request.node.get_closest_marker("fast")


def test_a_service_that_a_test_is_not_marked_with_is_refused_to_it_and_to_its_programs() -> None:
    with pytest.raises(pytest.fail.Exception, match=f"pytest.mark.{NOT_MARKED}"):
        need(NOT_MARKED)
    program = f"from tests.services.needs import need; need({NOT_MARKED!r})"
    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, check=False)
    assert ended.returncode != 0
    assert f"pytest.mark.{NOT_MARKED}".encode() in ended.stderr
