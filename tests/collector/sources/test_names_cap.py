"""The cap on names of users and groups holds for a day, also where names come and go each minute."""

from __future__ import annotations

from collector.sources.top_n import cap_names
from collector.zerofill import merge_seen, zero_paths

JOBS = "condor_jobs"


def test_fifty_new_groups_a_minute_make_no_more_than_the_cap_a_day() -> None:
    seen: dict[str, int] = {}
    for minute in range(120):
        values = [(f"grids.g.groups.m{minute}_{number}.total", 1.0) for number in range(50)]
        values += [("grids.g.groups.steady.total", 7.0), ("grids.g.condor.overflow.groups", 0.0)]
        values += [("grids.g.jobs.all.total", 57.0)]
        kept = cap_names("g", values, seen, 20)
        found = dict(kept)
        assert (
            sum(value for path, value in found.items() if ".groups." in path and "overflow" not in path) == 57
        )
        assert found["grids.g.groups.steady.total"] == 7
        assert found["grids.g.jobs.all.total"] == 57
        zeros = zero_paths(seen, found.keys(), {JOBS}, "g", 60 * minute)
        assert len(zeros) <= 20
        seen = merge_seen(seen, found, 60 * minute)
    assert len([path for path in seen if ".groups." in path and "overflow" not in path]) == 21  # with `other`
    assert found["grids.g.groups.other.total"] == 50
    assert found["grids.g.condor.overflow.groups"] == 50
