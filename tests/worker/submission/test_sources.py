"""Which sources may be submitted: below a prefix wherever links and `..` lead, part by part."""

from __future__ import annotations

from pathlib import Path

import pytest

from worker.settings import read_settings
from worker.submission.sources import SourceRefused, may_be_of_another, resolve_submitted


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for folder in ("data/new/deep", "data2/new", "secret"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "data/out").symlink_to(tmp_path / "secret")
    (tmp_path / "data/round").symlink_to(tmp_path / "data/round")
    (tmp_path / "in").symlink_to(tmp_path / "data/new")
    (tmp_path / "data/..hidden").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("source", "leads_to"),
    [
        ("data", "data"),
        ("data/", "data"),
        ("data/new/deep", "data/new/deep"),
        ("data/new/../new/./deep//", "data/new/deep"),
        ("data2/../data/new", "data/new"),
        ("in/deep", "data/new/deep"),
        ("data/..hidden", "data/..hidden"),
        ("data/not-there-yet", "data/not-there-yet"),
    ],
)
def test_what_lies_below_a_prefix_is_taken_without_its_links(data: Path, source: str, leads_to: str) -> None:
    assert resolve_submitted(f"{data}/{source}", (f"{data}/data",)) == f"{data}/{leads_to}"


@pytest.mark.parametrize(
    "source",
    ["data2/new", "data/../secret", "data/out", "data/out/more", "data/new/../../secret", "", "secret/none"],
)
def test_what_leads_out_is_refused_alike_whether_it_is_there_or_not(data: Path, source: str) -> None:
    with pytest.raises(SourceRefused, match="is not below a source that may be submitted") as refused:
        resolve_submitted(f"{data}/{source}", (f"{data}/data",))
    assert "symlink" not in str(refused.value)
    assert str(refused.value).count(str(data)) == 1, "the prefixes are not told"


@pytest.mark.parametrize(
    "source", ["data", "./data", "~/data", "file:///data", "http://x/", "AZURE://c/p", ""]
)
def test_other_forms_are_refused(source: str) -> None:
    with pytest.raises(SourceRefused, match="name a folder from / on, or azure://CONTAINER/PREFIX"):
        resolve_submitted(source, ("/data", "azure://c/p"))


def test_a_prefix_that_is_a_link_is_what_it_leads_to(data: Path) -> None:
    assert resolve_submitted(f"{data}/in/deep", (f"{data}/in",)) == f"{data}/data/new/deep"


@pytest.mark.parametrize("source", ["azure://scans/2026", "azure://scans/2026/", "azure://scans/2026/a b/ü"])
def test_a_containers_prefix_is_taken(source: str) -> None:
    assert resolve_submitted(source, ("/data", "azure://scans/2026")) == source.rstrip("/")


@pytest.mark.parametrize(
    "source",
    [
        "azure://scans", "azure://scans/", "azure://scans/20261", "azure://scans2/2026", "azure://",
        "azure://scans/2026/../2025", "azure://scans/2026//a", "azure://scans/2026/./a", "azure://Scans/2026",
        "azure://scans@evil.example/2026",
    ],
)  # fmt: skip
def test_other_containers_and_prefixes_are_refused(source: str) -> None:
    with pytest.raises(SourceRefused):
        resolve_submitted(source, ("/data", "azure://scans/2026"))


def test_what_another_host_may_take_is_left_to_it() -> None:
    assert may_be_of_another("/data/x/../y", ("/data", "azure://c"))
    assert may_be_of_another("azure://c/x", ("/data", "azure://c"))
    assert not may_be_of_another("/data/../etc", ("/data",))
    assert not may_be_of_another("data", ("/data",))
    assert not may_be_of_another("", ())


def test_the_setting_takes_folders_and_containers_and_nothing_else() -> None:
    def sources(text: str) -> tuple[str, ...]:
        return read_settings({"WORKER_SUBMIT_SOURCES": text}).submit_sources

    assert read_settings({}).submit_sources == ()
    assert sources("/data/, /srv/a/../b, azure://scans/2026/") == ("/data", "/srv/b", "azure://scans/2026")
    for text in ("data", "/", "//", "/data/..", "https://x/", "azure://S/x", "~/data"):
        with pytest.raises(Exception, match="WORKER_SUBMIT_SOURCES"):
            sources(text)
