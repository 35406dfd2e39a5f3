"""Links to other tools about one grid, cloud, VM or job: their addresses hold `{grid}` to `{job}`. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Protocol
from urllib.parse import quote

_OPEN_NAME = re.compile(r"\{(grid|cloud|host|job)\}")


class LinkTemplate(Protocol):
    name: str
    url: str


def open_names(url: str) -> frozenset[str]:
    """What an address leaves open; empty for one that stands on every page."""
    return frozenset(_OPEN_NAME.findall(url))


def links_about(
    links: Iterable[LinkTemplate], about: str, names: Mapping[str, str]
) -> tuple[tuple[str, str], ...]:
    """Names and addresses of the links about a grid, cloud, host or job, with what is known filled in."""
    known = {what for what, name in names.items() if name}
    return tuple(
        (link.name, _OPEN_NAME.sub(lambda found: quote(names[found[1]], safe=""), link.url))
        for link in links
        if about in open_names(link.url) <= known
    )
