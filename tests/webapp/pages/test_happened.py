"""The log of what began and what ended, as it is made from the memory of conditions."""

from __future__ import annotations

from dataclasses import replace

from tests.webapp.sample import NOW
from webapp.model.conditions import Episode
from webapp.model.health import Key, Level
from webapp.pages.happened import Event, events_of

POLL = Episode(
    Key("poll_failing"), NOW, NOW, NOW + 60, 0, Level.BAD, "Graphite: poll fails: down", "poll answered again"
)
ERRORS = Episode(
    Key("vms_error", "g", "c"), NOW + 30, NOW + 30, None, 0, Level.BAD, "c: 12 VMs in error", "over"
)


def test_nothing_wrong_nothing_said() -> None:
    assert events_of(()) == []


def test_what_began_and_what_ended_is_told_newest_first() -> None:
    assert events_of((POLL, ERRORS)) == [
        Event(NOW + 60, "poll_recovered", "", "poll answered again"),
        Event(NOW + 30, "condition_begun", "g", "c: 12 VMs in error"),
        Event(NOW, "poll_failed", "", "Graphite: poll fails: down"),
    ]


def test_a_symptom_is_not_told() -> None:
    assert events_of((replace(ERRORS, cause=Key("grid_silent", "g")),)) == []


def test_what_flaps_is_told_by_its_first_beginning_and_its_last() -> None:
    flapping = replace(POLL, again=NOW + 6000, ended=NOW + 6060, flaps=99)
    assert events_of((flapping,)) == [
        Event(NOW + 6060, "poll_recovered", "", "poll answered again (on and off 99 times)"),
        Event(NOW + 6000, "poll_failed", "", "Graphite: poll fails: down (on and off 99 times)"),
        Event(NOW, "poll_failed", "", "Graphite: poll fails: down"),
    ]
