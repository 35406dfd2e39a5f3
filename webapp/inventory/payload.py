"""A list as it comes over the network: unpacked within bounds, every field checked. Pure."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, fields, replace
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, TypeAdapter, ValidationError

from cloud_monitor.inventory import LIST_BYTES_MAX, LISTED_MAX
from cloud_monitor.system.text import without_controls
from webapp.inventory.model import Count, InventoryPayload, JobRecord, RecordList, Status, Time, VmRecord

PACKED_BYTES_MAX = LIST_BYTES_MAX + 64 * 1024  # what cannot be packed grows a little
_GZIP = 31  # zlib's word for a gzip header


AnyRecord = TypeVar("AnyRecord", VmRecord, JobRecord)


class ListRefused(ValueError):
    """A list is malformed: the message names the field, and what would be accepted."""


class ListTooLarge(ListRefused):
    """A list is over LIST_BYTES_MAX once unpacked."""


@dataclass(frozen=True, slots=True)
class _Body:
    version: Literal[1]  # LIST_VERSION
    taken_at: Time
    vms_total: Count | None = None
    vms_cut: bool = False
    vms: Annotated[tuple[VmRecord, ...], Field(max_length=LISTED_MAX)] | None = None
    jobs_total: Annotated[dict[Status, Count], Field(max_length=50)] | None = None
    jobs_cut: bool = False
    jobs: Annotated[tuple[JobRecord, ...], Field(max_length=LISTED_MAX)] | None = None


_READER = TypeAdapter(_Body)


def unpack(packed: bytes) -> bytes:
    """The body out of gzip. Raises ListTooLarge before more than LIST_BYTES_MAX are unpacked."""
    reader = zlib.decompressobj(_GZIP)
    try:
        body = reader.decompress(packed, LIST_BYTES_MAX + 1)
    except zlib.error as error:
        raise ListRefused(f"Content-Encoding is gzip, and the body is not: {error}") from None
    check_size(body)
    if not reader.eof:
        raise ListRefused("the body ends in the middle of its gzip stream")
    return body


def check_size(body: bytes) -> None:
    if len(body) > LIST_BYTES_MAX:
        raise ListTooLarge(f"the list is larger than {LIST_BYTES_MAX} bytes: send fewer VMs and jobs")


def read_payload(body: bytes) -> InventoryPayload:
    """The list in a JSON body. Raises ListRefused naming the first wrong field."""
    try:
        read = _READER.validate_json(body, strict=True)
    except ValidationError as error:
        raise ListRefused(_explain(error)) from None
    lists = {}
    if read.vms is not None:
        lists["vms"] = RecordList(tuple(map(_printable, read.vms)), read.vms_total, read.vms_cut)
    if read.jobs is not None:
        lists["jobs"] = RecordList(tuple(map(_printable, read.jobs)), read.jobs_total, read.jobs_cut)
    return InventoryPayload(read.taken_at, lists)


def _printable(record: AnyRecord) -> AnyRecord:
    """With blanks for control characters, line ends, and marks that turn the direction of what follows."""
    changed: dict[str, Any] = {
        field.name: without_controls(value, " ")
        for field in fields(record)
        if isinstance(value := getattr(record, field.name), str) and not value.isprintable()
    }
    return replace(record, **changed) if changed else record


def _explain(error: ValidationError) -> str:
    problem: Any = error.errors(include_url=False, include_context=False)[0]
    where = ".".join(str(part) for part in problem["loc"]) or "body"
    shown = repr(problem["input"])
    value = f" ({shown[:80]})" if problem["type"] not in ("missing", "json_invalid") else ""
    return f"{where}{value}: {problem['msg']}"
