"""Links to other tools about one grid, cloud, VM or job: their addresses hold `{grid}` to `{job}`. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Protocol
from urllib.parse import quote

_PLACE = re.compile(r"\{(grid|cloud|host|job)\}")


class Link(Protocol):
    name: str
    url: str


def places(url: str) -> frozenset[str]:
    """What an address leaves open; empty for one that stands on every page."""
    return frozenset(_PLACE.findall(url))


def links_about(links: Iterable[Link], about: str, names: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Names and addresses of the links about a grid, cloud, host or job, with what is known filled in."""
    known = {place for place, name in names.items() if name}
    return tuple(
        (link.name, _PLACE.sub(lambda place: quote(names[place[1]], safe=""), link.url))
        for link in links
        if about in places(link.url) <= known
    )
