"""Names, templates and paths: what is refused, and that the way there and back is the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_monitor.metrics.paths import (
    METRICS,
    NAME_LENGTH_MAX,
    Metric,
    PathRefused,
    build_path,
    clean,
    is_clean,
    parse_path,
)

FIELDS = {metric.key: metric.template.count("{") for metric in METRICS}

names = st.from_regex(r"[A-Za-z0-9_-]{1,12}", fullmatch=True)
texts = (
    st.text(max_size=150)
    | st.text("ab._-/ 0f", max_size=12)
    | st.from_regex(r"[a-z]{0,3}_[0-9a-f]{8}", fullmatch=True)
)


def fields_of(metric: Metric) -> list[str]:
    return [part.partition("}")[0] for part in metric.template.split("{")[1:]]


@given(texts)
def test_clean_gives_a_name(text: str) -> None:
    assert is_clean(clean(text))


@given(texts, texts)
def test_different_texts_get_different_names(one: str, other: str) -> None:
    assert (clean(one) == clean(other)) == (one == other)


@given(texts)
def test_a_cleaned_name_meant_as_a_text_is_another_name(text: str) -> None:
    assert clean(text) == text or clean(clean(text)) != clean(text)


@pytest.mark.parametrize("word", ["all", "total", "other"])
def test_reserved_words_are_no_names(word: str) -> None:
    assert clean(word) != word
    assert clean(word).startswith(f"{word}_")


def test_the_hashed_form_is_readable_and_ends_in_eight_digits_of_sha256() -> None:
    assert clean("node 7.example.org") == "node_7_example_org_2dc2af3c"
    assert len(clean("x" * 500)) == NAME_LENGTH_MAX


@given(st.sampled_from(METRICS), st.data())
def test_build_and_parse_are_inverse(metric: Metric, data: st.DataObject) -> None:
    filled = {field: data.draw(names) for field in fields_of(metric)}
    path = build_path(metric.key, **filled)
    parsed = parse_path(path)
    assert build_path(parsed.metric.key, **parsed.names) == path


@given(st.sampled_from(METRICS), st.data())
def test_parse_finds_the_metric_that_built_the_path(metric: Metric, data: st.DataObject) -> None:
    filled = {field: data.draw(names.map(lambda name: f"x{name}")) for field in fields_of(metric)}
    parsed = parse_path(build_path(metric.key, **filled))
    assert (parsed.metric.key, parsed.names) == (metric.key, filled)


def test_literals_win_over_placeholders() -> None:
    assert parse_path("grids.g.hosts.h.sysinfo.load").metric.key == "host_sysinfo_load"
    assert parse_path("grids.g.clouds.c.api-vms.running").metric.key == "cloud_api_vms"
    assert parse_path("grids.g.held.code_13").names == {"grid": "g", "code": "13"}


@pytest.mark.parametrize(
    "path",
    ["", "grids", "grids..x", "grids.g.nothing", "grids.g.heartbeat.a b", "grids.g.held.13", "a" * 3000],
)
def test_paths_outside_the_catalog_are_refused(path: str) -> None:
    with pytest.raises(PathRefused, match="metric path"):
        parse_path(path)


@pytest.mark.parametrize("name", ["", "a.b", "a b", "ü", "a\n", "x" * 101])
def test_unclean_names_are_refused(name: str) -> None:
    with pytest.raises(PathRefused, match="service="):
        build_path("heartbeat", grid="g", service=name)


def test_missing_and_surplus_names_are_refused() -> None:
    with pytest.raises(PathRefused, match="service is missing"):
        build_path("heartbeat", grid="g")
    with pytest.raises(PathRefused, match="too many"):
        build_path("heartbeat", grid="g", service="condor", cloud="c")


def test_keys_and_templates_are_unique() -> None:
    assert len({metric.key for metric in METRICS}) == len(METRICS)
    assert len({metric.template for metric in METRICS}) == len(METRICS)
