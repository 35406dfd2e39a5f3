"""The settings of the HTCondor sources, a part of the collector's settings."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, SecretStr

from cloud_monitor.metrics.paths import clean
from cloud_monitor.settings import split_assignments, split_names
from collector.isolate import Task, run_isolated
from collector.model import Collected

_CHECK_TIMEOUT_S = 15


def _check_job_types(job_types: dict[str, str]) -> dict[str, str]:
    """Clean names; refuse faulty expressions. A child asks the bindings, whose libraries take 20 MB."""
    if not job_types:
        return job_types
    outcome = run_isolated({"job types": Task(lambda: _find_faults(job_types), _CHECK_TIMEOUT_S)})[0]
    if outcome.error:
        raise ValueError(outcome.error)
    return {clean(name): text for name, text in job_types.items()}


def _find_faults(job_types: dict[str, str]) -> Collected:
    from collector.sources.htcondor.jobtypes import find_faults

    faults = find_faults(job_types).items()
    return Collected(complaints=tuple(f"{name} = {job_types[name]}: {fault}" for name, fault in faults))


def _check_attribute(name: str) -> str:
    if name and not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise ValueError("is not the name of a ClassAd attribute, for example CloudProvider")
    return name


def _check_pattern(pattern: str) -> str:
    try:
        groups = re.compile(pattern).groupindex
    except re.error as error:
        raise ValueError(f"is not a regular expression: {error}") from None
    if pattern and "cloud" not in groups:
        raise ValueError(r"has no group named cloud, for example ^(?P<cloud>[a-z]+)-(?P<vmtype>[a-z]+)\d+\.")
    return pattern


Names = Annotated[tuple[str, ...], BeforeValidator(split_names)]
Attribute = Annotated[str, AfterValidator(_check_attribute)]
JobTypes = Annotated[dict[str, str], BeforeValidator(split_assignments), AfterValidator(_check_job_types)]


class CondorSettings(BaseModel):
    condor_schedds: Names = Field(
        (), description="schedds to ask for jobs, by name, separated by commas; unset: this host's"
    )
    condor_collectors: Names = Field(
        (), description="HTCondor collectors to ask for machines, host[:port]; unset: the configured pool's"
    )
    job_types: JobTypes = Field(
        default_factory=dict,
        description="`name = ClassAd expression` over jobs, separated by `;`: it counts in each that is true",
    )

    condor_users: Literal["shown", "hashed", "hidden"] = Field(
        "shown",
        description="names of users, in paths and in the list of jobs with its hold reasons: `shown`, "
        "`hashed` or `hidden`",
    )
    condor_users_key: SecretStr = Field(
        SecretStr(""), description="key of the hash, so that names cannot be guessed from it"
    )
    condor_names_max: int = Field(
        50,
        ge=0,
        le=10_000,
        description="most users, groups and hold reasons by name; the rest are summed as `other`",
    )

    condor_cloud_attribute: Attribute = Field(
        "", description="startd attribute that names a machine's cloud, for example CloudProvider"
    )
    condor_vmtype_attribute: Attribute = Field(
        "", description="startd attribute that names a machine's VM type"
    )
    condor_cloud_pattern: Annotated[str, AfterValidator(_check_pattern)] = Field(
        "", description="or a regular expression on the machine's name, with groups `cloud` and `vmtype`"
    )

    condor_unusable_memory_mb: int = Field(
        500, ge=0, description="a partitionable slot with less memory left is unusable"
    )
    condor_unusable_disk_mb: int = Field(
        1024, ge=0, description="a partitionable slot with less disk left is unusable"
    )
