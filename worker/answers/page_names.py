"""How a page of a file is named: `file.pdf#page=3`. A real file of such a name stands there as its own first
page, so that every name says one thing.
"""

from __future__ import annotations

import re

_PAGE = re.compile(r"#page=[1-9]\d*$")


def page_name(name: str, page: int | None) -> str:
    """`page`: from 1 on; None: the file has one, or nobody has looked."""
    if page is None:
        return f"{name}#page=1" if _PAGE.search(name) else name
    return f"{name}#page={page}"


def split_page(shown: str) -> tuple[str, int | None]:
    """The file's name and the page of what `page_name` gave."""
    found = _PAGE.search(shown)
    if found is None:
        return shown, None
    name, page = shown[: found.start()], int(found[0].removeprefix("#page="))
    return name, None if page == 1 and _PAGE.search(name) else page


def image_hash(sha256: str, shown: str) -> str:
    """What tells a picture from any other, wherever it lies: the SHA-256 of its file (hexadecimal), with the
    page, as in its name, where the file has several.
    """
    return page_name(sha256, split_page(shown)[1])
