"""What a request is turned down with, by whatever finds that it cannot be served."""

from __future__ import annotations


class RequestRefused(Exception):
    """A request that is turned down. `code` is a short word, `message` says what would be accepted."""

    def __init__(self, status: int, code: str, message: str, retry_after_s: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.retry_after_s = retry_after_s
