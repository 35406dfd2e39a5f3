"""How fast images are done (pure)."""

from __future__ import annotations

from collections import deque


class Rate:
    """Images a second over the last `window_s` seconds of a monotonic clock."""

    def __init__(self, window_s: float = 60) -> None:
        self._window_s = window_s
        self._marks: deque[tuple[float, int]] = deque()

    def add(self, now_s: float, images_done: int) -> None:
        self._marks.append((now_s, images_done))
        while len(self._marks) > 2 and now_s - self._marks[1][0] >= self._window_s:
            self._marks.popleft()

    @property
    def images_per_s(self) -> float:
        if len(self._marks) < 2:
            return 0.0
        (first_s, first), (last_s, last) = self._marks[0], self._marks[-1]
        return (last - first) / (last_s - first_s) if last_s > first_s else 0.0
