"""A list as it comes over the network: unpacked within bounds, every field checked. Pure."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, fields, replace
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, TypeAdapter, ValidationError

from webapp.inventory.model import Count, Job, Listed, Listing, Status, Time, Vm

PACKED_MAX_BYTES = 4 * 2**20 + 64 * 1024  # what cannot be packed grows a little
BODY_MAX_BYTES = 4 * 2**20
_ITEMS_MAX = 20_000
_GZIP = 31  # zlib's word for a gzip header


Kind = TypeVar("Kind", Vm, Job)


class ListRefused(ValueError):
    """A list is malformed: the message names the field, and what would be accepted."""


class ListTooLarge(ListRefused):
    """A list is over BODY_MAX_BYTES once unpacked."""


@dataclass(frozen=True, slots=True)
class _Body:
    version: Literal[1]
    taken_at: Time
    vms_total: Count | None = None
    vms_cut: bool = False
    vms: Annotated[tuple[Vm, ...], Field(max_length=_ITEMS_MAX)] | None = None
    jobs_total: Annotated[dict[Status, Count], Field(max_length=50)] | None = None
    jobs_cut: bool = False
    jobs: Annotated[tuple[Job, ...], Field(max_length=_ITEMS_MAX)] | None = None


_READER = TypeAdapter(_Body)


def unpack(packed: bytes) -> bytes:
    """The body out of gzip. Raises ListTooLarge before more than BODY_MAX_BYTES are unpacked."""
    reader = zlib.decompressobj(_GZIP)
    try:
        body = reader.decompress(packed, BODY_MAX_BYTES + 1)
    except zlib.error as error:
        raise ListRefused(f"Content-Encoding is gzip, and the body is not: {error}") from None
    check_size(body)
    if not reader.eof:
        raise ListRefused("the body ends in the middle of its gzip stream")
    return body


def check_size(body: bytes) -> None:
    if len(body) > BODY_MAX_BYTES:
        raise ListTooLarge(f"the list is larger than {BODY_MAX_BYTES} bytes: send fewer VMs and jobs")


def read_listing(body: bytes) -> Listing:
    """The list in a JSON body. Raises ListRefused naming the first wrong field."""
    try:
        read = _READER.validate_json(body, strict=True)
    except ValidationError as error:
        raise ListRefused(_explain(error)) from None
    kinds = {}
    if read.vms is not None:
        kinds["vms"] = Listed(tuple(map(_printable, read.vms)), read.vms_total, read.vms_cut)
    if read.jobs is not None:
        kinds["jobs"] = Listed(tuple(map(_printable, read.jobs)), read.jobs_total, read.jobs_cut)
    return Listing(read.taken_at, kinds)


def _printable(thing: Kind) -> Kind:
    """With blanks for control characters, line ends, and marks that turn the direction of what follows."""
    changed: dict[str, Any] = {
        field.name: "".join(char if char.isprintable() else " " for char in value)
        for field in fields(thing)
        if isinstance(value := getattr(thing, field.name), str) and not value.isprintable()
    }
    return replace(thing, **changed) if changed else thing


def _explain(error: ValidationError) -> str:
    problem: Any = error.errors(include_url=False, include_context=False)[0]
    place = ".".join(str(part) for part in problem["loc"]) or "body"
    shown = repr(problem["input"])
    value = f" ({shown[:80]})" if problem["type"] not in ("missing", "json_invalid") else ""
    return f"{place}{value}: {problem['msg']}"
