"""The inventory as the JSON that the status page takes, within its bound (pure)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, takewhile

from cloud_monitor.inventory import LIST_BYTES_MAX, LIST_VERSION
from collector.inventory.compose import Inventory, ListedJob, ListedVm
from collector.sources.shares import shares_by_interest


def encode_inventory(inventory: Inventory, bytes_max: int = LIST_BYTES_MAX) -> bytes:
    """At most `bytes_max` bytes; where these are not enough for all rows, the lists lack their last ones."""
    head = {
        "version": LIST_VERSION,
        "taken_at": inventory.taken_at,
        "vms_total": inventory.vms_total,
        "jobs_total": inventory.jobs_total,
    }
    vms, jobs = list(_rows(inventory.vms)), list(_rows(inventory.jobs))
    room = bytes_max - len(_encode(head)) - len(',"vms_cut":false,"jobs_cut":false,"vms":[],"jobs":[]}')
    shares = shares_by_interest([_size(vms), _size(jobs)], max(0, room))
    shown_vms, shown_jobs = (
        list(_fitting(rows, share)) for rows, share in zip((vms, jobs), shares, strict=True)
    )
    flags = {
        "vms_cut": inventory.vms_cut or len(shown_vms) < len(vms),
        "jobs_cut": inventory.jobs_cut or len(shown_jobs) < len(jobs),
    }
    lists = b',"vms":%s,"jobs":%s}' % (
        b"null" if inventory.vms is None else b"[%s]" % b",".join(shown_vms),
        b"null" if inventory.jobs is None else b"[%s]" % b",".join(shown_jobs),
    )
    return _encode(head | flags)[:-1] + lists


def _rows(rows: Sequence[ListedVm] | Sequence[ListedJob] | None) -> Iterator[bytes]:
    return (_encode(row._asdict()) for row in rows or ())


def _encode(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _size(rows: Sequence[bytes]) -> int:
    return sum(map(len, rows)) + len(rows)  # with a comma each


def _fitting(rows: Sequence[bytes], bytes_max: int) -> Iterator[bytes]:
    sizes: Iterable[int] = accumulate(len(row) + 1 for row in rows)
    fitting = sum(1 for _ in takewhile(lambda size: size <= bytes_max, sizes))
    return iter(rows[:fitting])
