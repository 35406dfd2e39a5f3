"""One suite, both databases, as for the queue."""

from tests.worker.queue.conftest import queue, queue_url

__all__ = ["queue", "queue_url"]
