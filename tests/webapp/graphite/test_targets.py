"""Which targets may be plotted, and what Graphite is asked for them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_monitor.metrics.paths import METRICS
from webapp.errors import RequestRefused
from webapp.graphite.targets import check_target, check_targets


@pytest.mark.parametrize(
    "text",
    [
        "grids.g.jobs.all.idle",
        "grids.g.clouds.c.vms.t.running",
        "util.live_hosts.g.h",
        "grids.g.held.code_13",
    ],
)
def test_a_path_is_asked_for_as_it_is(text: str) -> None:
    target = check_target(text)
    assert (target.text, target.expression) == (text, text)


def test_a_star_is_the_sum_over_names() -> None:
    target = check_target("grids.*.clouds.*.vms.*.running")
    assert target.metric.unit == "vms"
    assert (
        target.expression
        == 'alias(sumSeries(grids.*.clouds.*.vms.*.running),"grids.*.clouds.*.vms.*.running")'
    )


@pytest.mark.parametrize(
    "text",
    [
        "", ".", "*", "*.*", "grids", "grids.*", "*.g.jobs.all.idle", "grids.g.*.all.idle", "grids.g.held.",
        "grids.g.jobs.a*.idle", "grids.g.jobs.{a,b}.idle", "grids.g.jobs.[ab].idle", "grids.g.jobs.a?.idle",
        "sumSeries(grids.g.jobs.*.idle)", "grids.g.held.code_1,grids.g.held.code_2", "grids.g.held.code_1\n",
        'grids.g.jobs.all.idle"', "grids.g.jobs.all.idle;a=b", "carbon.agents.a.cpuUsage",
        "grids.g.jobs.ü.idle",
        "grids." + "g" * 2000 + ".jobs.all.idle", "seriesByTag('name=x')", "grids.g.jobs.all.idle\x00",
    ],
)  # fmt: skip
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(RequestRefused) as caught:
        check_target(text)
    assert caught.value.status == 400


@given(st.text(max_size=60) | st.from_regex(r"grids\.[a-z*.]{0,30}", fullmatch=True))
def test_what_reaches_graphite_holds_no_syntax_of_its_own(text: str) -> None:
    try:
        target = check_target(text)
    except RequestRefused:
        return
    assert set(target.text) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.*")


def test_targets_are_counted_once_each() -> None:
    idle, held = "grids.g.jobs.all.idle", "grids.g.jobs.all.held"
    assert [target.text for target in check_targets([idle, held, idle], 2)] == [idle, held]
    with pytest.raises(RequestRefused, match="at most 1 "):
        check_targets([idle, held], 1)
    with pytest.raises(RequestRefused, match="at least one"):
        check_targets([], 1)


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("grids.belle.clouds.victoria.vms.large.running", "belle / victoria: running VMs, large"),
        ("grids.belle.clouds.*.vms.*.total", "belle / all clouds: VMs"),
        ("grids.*.clouds.victoria.unreg.large", "all grids / victoria: unregistered VMs, large"),
        ("grids.belle.clouds.victoria.idle.*", "belle / victoria: idle VMs"),
        ("grids.belle.clouds.victoria.quota", "belle / victoria: quota"),
        ("grids.belle.clouds.victoria.api-vms.running", "belle / victoria: api-vms running"),
        ("grids.belle.jobs.all.transferring_output", "belle: transferring output jobs"),
        ("grids.belle.users.alice.idle", "belle: idle jobs, alice"),
        ("grids.belle.slots.all.total", "belle: slots"),
        ("grids.belle.sysinfo.cpu", "belle: cpu"),
        ("grids.belle.hosts.node2.sysinfo.ram", "belle / node2: ram"),
        ("grids.belle.wait.all.p95_s", "belle: wait all p95 s"),
        ("grids.belle.fleet.hosts.node3.workers", "belle: fleet hosts node3 workers"),
        ("util.live_hosts.belle.vm1", "belle: live hosts vm1"),
    ],
)
def test_a_legend_names_the_place_and_what_is_counted(text: str, label: str) -> None:
    assert check_target(text).label == label


def test_every_metric_has_a_label_of_its_own() -> None:
    texts = [re.sub(r"\{(\w+)\}", r"\1", metric.template) for metric in METRICS]
    labels = [check_target(text).label for text in texts]
    assert len(set(labels)) == len(labels)
