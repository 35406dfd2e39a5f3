"""The pure part of the HTCondor sources."""

from __future__ import annotations

import re
from collections import Counter

import classad2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_monitor.htcondor.job_status import status_of
from cloud_monitor.metrics.daemon_figures import OF_DAEMON
from cloud_monitor.metrics.paths import build_path, parse_path
from collector.sources.htcondor.joblist import Schedd, hide_name, plan_queries, read_job
from collector.sources.htcondor.jobs import group_of, hash_user
from collector.sources.htcondor.jobtypes import JobTypes, find_faults
from collector.sources.htcondor.machines import MachineFacts, name_cloud
from collector.sources.htcondor.placements import slices
from collector.sources.htcondor.slots import RemainderLimits, Slot, SlotTally, share_of, slots_values
from collector.sources.htcondor.waits import percentile
from collector.sources.top_n import OTHER, top_names
from tests.collector.support import make_settings

FUNCTIONS = """
    isUndefined isError isString isInteger isReal isList isClassAd isBoolean isAbsTime isRelTime member
    identicalMember sum avg min max anyCompare allCompare size strcat join toUpper toLower substr strcmp
    stricmp int real string bool absTime relTime floor ceiling round random ifThenElse interval eval
    regexp regexpMember regexps replace replaceAll time formatTime quantize mergeEnvironment listToArgs
    argsToList unparse unresolved split splitUserName splitSlotName stringListSize stringListSum
    stringListMember stringListIMember stringList_regexpMember stringListsIntersect
    stringListSubsetMatch userMap evalInEachContext countMatches pow getYear getMonth getDayOfYear
    getDayOfMonth getDayOfWeek getDays getHours getMinutes getSeconds splitTime versionCmp versionLE
    version_in_range
"""

counts = st.dictionaries(
    st.tuples(st.text(max_size=5), st.sampled_from(["idle", "held"])), st.integers(1, 50), max_size=30
)


@pytest.mark.parametrize("name", re.findall(r"\w+", FUNCTIONS))
def test_every_function_of_classad_is_known(name: str) -> None:
    assert find_faults({"some": f"{name}(Owner)", "upper": f"{name.upper()} (Owner)"}) == {}


@pytest.mark.parametrize(
    "text",
    [
        "nosuch(1)",
        'true || startsWith(Owner, "a")',
        "RequestCpus > 1 && f\n(Owner)",
        'Owner == "a\\"b" && g("x")',
        "size(nosuch(Owner))",
        "RequestCpus >",
        'Owner = "alice"',
        "",
        '"unfinished',
    ],
)
def test_faulty_expressions_are_found(text: str) -> None:
    assert set(find_faults({"faulty": text, "fine": "RequestCpus > 1"})) == {"faulty"}


@pytest.mark.parametrize("text", ['Owner == "f(x)"', "'g(' == 3", "Owner isnt (Name)", "x is (1)"])
def test_what_only_looks_like_a_call_is_fine(text: str) -> None:
    assert find_faults({"fine": text}) == {}


def test_types_of_jobs() -> None:
    types = JobTypes({
        "mcore": "RequestCpus > 1",
        "own": 'MY.Owner == "alice"',
        "number": "RequestCpus - 1",
        "undefined": "NoSuchAttribute > 3",
        "error": '"a" + 1',
        "target": "TARGET.Memory > 3",
    })  # fmt: skip
    assert types.attributes == ("NoSuchAttribute", "Owner", "RequestCpus")
    assert types.of(classad2.ClassAd('[RequestCpus = 8; Owner = "alice"]')) == ("mcore", "own", "number")
    assert types.of(classad2.ClassAd('[RequestCpus = 1; Owner = "bob"]')) == ()
    assert types.of(classad2.ClassAd("[RequestCpus = Cores * 2; Cores = 4]")) == ("mcore", "number")
    assert types.of(classad2.ClassAd("[RequestCpus = Cores * 2; Cores = 0]")) == ("number",)
    assert types.of(classad2.ClassAd("[]")) == ()


@pytest.mark.parametrize(
    ("accounting_group", "owner", "group"),
    [
        ("group_higgs.prod.alice", "alice", "group_higgs.prod"),
        ("group_higgs.first.last", "first.last", "group_higgs"),
        ("group_higgs.robot", "alice", "group_higgs"),
        ("group_higgs.robot@example.org", "alice", "group_higgs"),
        ("group_higgs", "alice", "group_higgs"),
        ("alice", "alice", "alice"),
        ("", "alice", ""),
    ],
)
def test_the_group_of_an_accounting_group(accounting_group: str, owner: str, group: str) -> None:
    assert group_of(accounting_group, owner) == group


@given(counts, st.integers(0, 10))
def test_capping_keeps_the_sum_and_the_largest(
    given_counts: dict[tuple[str, str], int], names_max: int
) -> None:
    top = top_names(given_counts, names_max)
    assert sum(top.counts.values()) == sum(given_counts.values())
    names = {name for name, _ in top.counts}
    assert len(names - {OTHER}) <= names_max
    assert (OTHER in names) == (top.overflow > 0)
    assert len(names - {OTHER}) + top.overflow == len({name for name, _ in given_counts})
    totals: Counter[str] = Counter()
    for (name, _), count in top.counts.items():
        totals[name] += count
    raw: Counter[str] = Counter()
    for (name, _), count in given_counts.items():
        raw[name] += count
    kept = sorted((count for name, count in totals.items() if name != OTHER), reverse=True)
    assert kept == sorted(raw.values(), reverse=True)[:names_max]


@given(st.lists(st.tuples(st.floats(0, 1e6), st.integers(1, 9)), min_size=1), st.sampled_from([50, 95]))
def test_a_percentile_is_the_nearest_rank(rows: list[tuple[float, int]], percent: int) -> None:
    rows.sort()
    every = [value for value, weight in rows for _ in range(weight)]
    assert percentile(rows, percent) == every[-(-len(every) * percent // 100) - 1]


@given(
    st.lists(
        st.from_regex(r"slot1(_[0-9])?@[a-z]{1,3}[0-9]{0,3}[a-z]?(\.[a-z0-9]{1,3}){0,2}", fullmatch=True)
    ),
    st.sampled_from([0, 10, 11, 40, 99, 1000]),
)
def test_slices_select_every_slot_once(names: list[str], expected: int) -> None:
    constraints = slices(expected, 10, "Name")
    for name in [*names, None]:
        ad = classad2.ClassAd({"Name": name} if name else {})
        assert [classad2.ExprTree(text).eval(ad) for text in constraints].count(True) == 1


def test_slices_spread_hosts_by_their_numbers() -> None:
    pattern = re.compile(r'regexp\("(.*?)", Name\)')
    first = pattern.search(slices(100, 20, "Name")[0])
    assert first
    hosts = [f"slot1@node{number:04d}.example2.org" for number in range(1000)]
    assert sum(bool(re.search(first[1], host)) for host in hosts) == 200


@pytest.mark.parametrize(
    ("slot_type", "state", "cores", "memory_mb", "disk_mb", "share"),
    [
        ("static", "claimed", 1, 0, 0, "claimed"),
        ("dynamic", "preempting", 1, 0, 0, "claimed"),
        ("dynamic", "matched", 1, 0, 0, "idle"),
        ("static", "owner", 1, 9999, 9999, "unavailable"),
        ("partitionable", "drained", 8, 9999, 9999, "unavailable"),
        ("partitionable", "unclaimed", 8, 9999, 9999, "idle"),
        ("partitionable", "claimed", 8, 9999, 9999, "idle"),
        ("partitionable", "unclaimed", 0, 9999, 9999, "unusable"),
        ("partitionable", "unclaimed", 8, 499, 9999, "unusable"),
        ("partitionable", "unclaimed", 8, 9999, 1023, "unusable"),
        ("partitionable", "unclaimed", 8, 500, 1024, "idle"),
    ],
)
def test_what_a_slot_is(
    slot_type: str, state: str, cores: float, memory_mb: float, disk_mb: float, share: str
) -> None:
    slot = Slot("slot1@a", slot_type, state, "idle", cores, memory_mb, 0, disk_mb)
    assert share_of(slot, RemainderLimits(memory_mb=500, disk_mb=1024)) == share


def test_a_slot_type_that_is_called_all_does_not_touch_the_sum() -> None:
    tally = SlotTally(RemainderLimits(0, 0))
    tally.add(Slot("slot1@a", "all", "total", "idle", 1, 1, 0, 0))
    values = dict(slots_values("g", tally))
    assert values["grids.g.slots.all.total"] == 1
    assert sum(value for path, value in values.items() if path.startswith("grids.g.slots.")) == 4


def test_clouds_by_attribute_and_by_name() -> None:
    pattern = re.compile(r"^(?P<cloud>[a-z ]+)-(?P<vmtype>[a-z]+)?\d")
    none = MachineFacts("", "", 0, 0)
    assert name_cloud("east-big7.example", none, pattern) == ("east", "big")
    assert name_cloud("east-7.example", none, pattern) == ("east", "vm")
    assert name_cloud("east-big7.example", MachineFacts("west", "", 0, 0), pattern) == ("west", "big")
    assert name_cloud("other.example", none, pattern) == ("", "")
    assert name_cloud("other.example", none, None) == ("", "")


def test_statuses_of_later_versions_are_counted_as_unknown() -> None:
    assert [status_of(value) for value in (0, 6, 8, -1, "1", None, 1.0)] == [
        "unexpanded", "transferring_output", "unknown", "unknown", "unknown", "unknown", "unknown"
    ]  # fmt: skip


def test_hashed_users_depend_on_the_key() -> None:
    assert hash_user("alice", b"k") == hash_user("alice", b"k")
    assert len({hash_user("alice", b"k"), hash_user("alice", b""), hash_user("bob", b"k")}) == 3


def test_every_daemon_figure_is_a_metric_with_its_attribute() -> None:
    for kind, figures in OF_DAEMON.items():
        assert len({figure.name for figure in figures}) == len(figures)
        for figure in figures:
            path = build_path(f"condor_{kind}_{figure.name}", grid="g", name="n")
            assert parse_path(path).metric.unit == figure.unit


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
        read_job(ad, "", JobTypes({}), make_settings(condor_users=mode)).group for mode in ("shown", "hidden")
    ]
    assert groups == ["ann", ""]


schedds = st.lists(
    st.dictionaries(st.integers(0, 9), st.integers(1, 2000), max_size=6).map(
        lambda jobs: Schedd(f"schedd{id(jobs)}", None, jobs)
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
