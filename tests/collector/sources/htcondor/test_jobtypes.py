"""Job types: faulty expressions found, jobs told apart."""

from __future__ import annotations

import re

import classad2
import pytest

from cloud_monitor.htcondor.ads import Ad
from cloud_monitor.htcondor.expressions import find_faults
from collector.sources.htcondor.jobtypes import JobTypes

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
    assert types.of(Ad(classad2.ClassAd('[RequestCpus = 8; Owner = "alice"]'))) == ("mcore", "own", "number")
    assert types.of(Ad(classad2.ClassAd('[RequestCpus = 1; Owner = "bob"]'))) == ()
    assert types.of(Ad(classad2.ClassAd("[RequestCpus = Cores * 2; Cores = 4]"))) == ("mcore", "number")
    assert types.of(Ad(classad2.ClassAd("[RequestCpus = Cores * 2; Cores = 0]"))) == ("number",)
    assert types.of(Ad(classad2.ClassAd("[]"))) == ()
