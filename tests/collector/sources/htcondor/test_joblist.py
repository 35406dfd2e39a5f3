"""The list of single jobs without a pool: how many are asked for, and whose names are hidden."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_monitor.htcondor.ads import Ad
from collector.sources.htcondor.joblist import Schedd, hide_name, plan_queries, read_job
from collector.sources.htcondor.jobtypes import JobTypes
from tests.collector.support import make_settings


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("file /data/ann/x of Ann: ann_1.txt (ann@site)", "file /data/U/x of U: U_1.txt (U@site)"),
        ("cannot plan Hannover, annual, 7ann", "cannot plan Hannover, annual, 7ann"),
        ("", ""),
    ],
)
def test_a_users_name_is_hidden_as_a_word(text: str, shown: str) -> None:
    assert hide_name(text, "ann", "U") == shown
    assert hide_name(text, "", "U") == text  # a job without an owner
    assert hide_name("a.b+c axb", "a.b+c", "U") == "U axb"


def test_a_group_of_one_is_hidden_with_its_user() -> None:
    ad = {"JobStatus": 5, "Owner": "ann", "AccountingGroup": "ann", "ClusterId": 1, "ProcId": 0}
    groups = [
        read_job(Ad(ad), "", JobTypes({}), make_settings(condor_users=mode)).group
        for mode in ("shown", "hidden")
    ]
    assert groups == ["ann", ""]


schedds = st.lists(
    st.dictionaries(st.integers(0, 9), st.integers(1, 2000), max_size=6).map(
        lambda jobs: Schedd(f"schedd{id(jobs)}", jobs)
    ),
    max_size=4,
)


@given(schedds, st.integers(1, 3000))
def test_no_more_jobs_are_asked_for_than_there_is_room(found: list[Schedd], room: int) -> None:
    planned = list(plan_queries(found, room))
    total = sum(sum(schedd.jobs.values()) for schedd in found)
    if total <= room:  # all as they are at one moment
        assert [(constraint, limit) for _, constraint, limit in planned] == [("true", room + 1)] * len(found)
    else:
        assert sum(limit for _, _, limit in planned) == room
        for schedd, constraint, limit in planned:
            assert 0 < limit <= schedd.jobs[int(constraint.removeprefix("JobStatus == "))]
