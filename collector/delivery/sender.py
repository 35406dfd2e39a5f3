"""One run's way to one Carbon: keep, send the fresh points, read older ones back, replay what waits."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from cloud_monitor.system.sqlite_file import Identity, identity_of, set_aside
from collector.delivery.carbon import SendFailed, Timeouts, TlsFiles, send_frames
from collector.delivery.destinations import Address, RenderFailed
from collector.delivery.frames import encode_frame, split_points
from collector.delivery.readback import LOOK_AFTER_S, SLOTS, Readback
from collector.delivery.spool import SETTLE_S, Frame, Kept, Marker, Spool
from collector.delivery.spool_file import SpoolCorrupt, SpoolUnusable
from collector.model import Point

_RETRY_AFTER_S = 0.5
_BATCH_POINTS = 50_000  # replayed over one connection, and confirmed at its end


@dataclass(frozen=True, slots=True)
class Sender:
    """The way to one Carbon of one destination, with a spool of its own."""

    destination: str  # clean name
    address: Address
    spool_path: Path
    keeps: Callable[[str], bool]  # whether this Carbon is to get a path
    readback: Readback | None = None


@dataclass(frozen=True, slots=True)
class Options:
    timeouts: Timeouts
    tls: TlsFiles
    spool_age_max_s: float
    spool_bytes_max: float
    replay_points: int  # in one run


@dataclass(slots=True)
class Report:
    """What became of a run's points for one Carbon; filled in as it goes, to be read at a deadline."""

    sender: Sender
    points: int = 0
    kept: bool = False  # on disk, since before the first attempt
    delivered: bool = False  # the Carbon has read the fresh points
    replayed_points: int = 0
    waiting_points: int = 0
    problems: list[str] = field(default_factory=list)
    done: bool = False


class _Sending:
    def __init__(self, report: Report, options: Options, now: int, deadline_s: float) -> None:
        self.report, self.sender, self.options = report, report.sender, options
        self.now, self.deadline_s = now, deadline_s
        self.spool: Spool | None = None

    def run(self, points: Sequence[Point]) -> None:
        self.spool = self._open()
        try:
            frames = self._make_frames(points)
            kept = self._keep(frames)
            if self._send_fresh(frames, kept) and self.spool is not None:
                self._read_back()
                self._replay()
        except SpoolUnusable as error:
            self._tell_unusable(error)
        finally:
            self._close()

    def _tell_unusable(self, error: SpoolUnusable) -> None:
        """One that is corrupt goes out of the next run's way."""
        try:
            if isinstance(error, SpoolCorrupt) and self.spool is not None:
                self._set_aside(error, self.spool.identity)
            else:
                self.report.problems.append(str(error))
        except SpoolUnusable as failure:
            self.report.problems.append(str(failure))

    def _open(self) -> Spool | None:
        found = identity_of(self.sender.spool_path)
        try:
            try:
                return self._begin()
            except SpoolCorrupt as error:
                self._set_aside(error, found)
                return self._begin()
        except SpoolUnusable as error:
            self.report.problems.append(f"cannot keep points: {error}")
            return None

    def _begin(self) -> Spool:
        spool = Spool(self.sender.spool_path)
        try:
            lost = spool.begin(self.now, self.options.spool_age_max_s, self.options.spool_bytes_max)
        except SpoolUnusable:
            spool.close()
            raise
        if lost:
            self.report.problems.append(f"{spool.path}: {lost} points given up (bounds of age and size)")
        return spool

    def _set_aside(self, error: SpoolCorrupt, broken: Identity | None) -> None:
        if self.spool is not None:
            self.spool.close()
            self.spool = None
        try:
            aside = set_aside(self.sender.spool_path, broken)
        except OSError as failure:
            raise SpoolUnusable(f"{error}, and it cannot be renamed: {failure.strerror}") from failure
        fate = f"set aside as {aside.name}" if aside else "another run set it aside"
        self.report.problems.append(f"{error}; {fate}, a new spool is begun")

    def _make_frames(self, points: Sequence[Point]) -> list[Frame]:
        chunks = list(split_points(points))
        markers: list[Marker | None] = [None] * len(chunks)
        if self.spool is not None and self.sender.readback is not None:
            with suppress(SpoolUnusable):  # then they cannot be kept either, which is told
                slots = self.spool.next_slots(len(chunks), SLOTS)
                markers = [self.sender.readback.make_marker(slot, self.sender.keeps) for slot in slots]
        frames = []
        for chunk, marker in zip(chunks, markers, strict=True):
            timestamp = min(point.timestamp for point in chunk)
            extra = [] if marker is None else [Point(marker.path, timestamp, marker.value)]
            data = encode_frame([*chunk, *extra], self.sender.address.protocol)
            frames.append(Frame(timestamp, len(chunk), data, marker))
        return frames

    def _keep(self, frames: Sequence[Frame]) -> list[Kept]:
        if self.spool is None:
            return []
        try:
            try:
                kept = self.spool.add(frames)
            except SpoolCorrupt as error:
                self._set_aside(error, self.spool.identity)
                self.spool = self._begin()
                kept = self.spool.add(frames)
        except SpoolUnusable as error:
            self.report.problems.append(f"cannot keep points: {error}")
            return []
        self.report.kept = True
        return kept

    def _send_fresh(self, frames: Sequence[Frame], kept: Sequence[Kept]) -> bool:
        """Twice at most. What was kept already is in doubt where nothing listens: its cache may have died."""
        sent = False
        try:
            self._send([frame.data for frame in frames])
        except SendFailed as first:
            sent = first.sent
            time.sleep(min(_RETRY_AFTER_S, max(0.0, self._left_s())))
            try:
                if sent and kept and self.spool:
                    self.spool.mark_tried(kept)
                self._send([frame.data for frame in frames])
            except SendFailed as second:
                self.report.problems.append(str(second))
                if self.spool is not None:
                    if not sent and not second.sent:
                        self.spool.mark_untried(kept)
                    if second.refused and self.sender.readback is None:
                        self.spool.mark_pending(self.spool.delivered(0))
                return False
        self.report.delivered = True
        if self.spool is not None:
            self.spool.mark_delivered(kept)
        return True

    def _read_back(self) -> None:
        assert self.spool is not None
        if self.sender.readback is None:
            self.spool.mark_arrived(self.spool.delivered(SETTLE_S))
            return
        try:
            verdict = self.sender.readback.judge(self.spool.delivered(LOOK_AFTER_S))
        except RenderFailed as error:
            self.report.problems.append(f"no proof of delivery: {error}")
            return
        self.spool.mark_arrived(verdict.arrived)
        self.spool.mark_pending(verdict.missing)
        if verdict.missing:
            lost = sum(frame.points for frame in verdict.missing)
            self.report.problems.append(
                f"{self.sender.address}: took {lost} points and lost them; they go again"
            )

    def _replay(self) -> None:
        assert self.spool is not None
        left = self.options.replay_points
        while left > 0 and self._left_s() > self.options.timeouts.connect_s:
            batch = self.spool.pending(min(left, _BATCH_POINTS))
            if not batch:
                break
            self.spool.mark_tried(batch)
            try:
                self._send(self.spool.bodies(batch))
            except SendFailed as error:
                if not error.sent:
                    self.spool.mark_untried(batch)
                self.report.problems.append(f"while replaying: {error}")
                break
            self.spool.mark_delivered(batch)
            points = sum(frame.points for frame in batch)
            self.report.replayed_points += points
            left -= points

    def _send(self, frames: Iterable[bytes]) -> None:
        send_frames(self.sender.address, frames, self.options.timeouts, self.options.tls, self.deadline_s)

    def _left_s(self) -> float:
        return self.deadline_s - time.monotonic()

    def _close(self) -> None:
        if self.spool is not None:
            try:
                self.report.waiting_points = self.spool.figures().points
            except SpoolUnusable as error:
                self.report.problems.append(str(error))
            self.spool.close()


def send_points(
    report: Report, points: Sequence[Point], options: Options, now: int, deadline_s: float
) -> None:
    """Bring `points` to the sender's Carbon; `now` is Unix time, `deadline_s` is on the monotonic clock."""
    report.points = len(points)
    _Sending(report, options, now, deadline_s).run(points)
    report.done = True
