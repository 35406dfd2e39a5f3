"""Where images come from and result files go: a folder, or a container of Azure Blob Storage.

`open_storage(url, settings)` gives a `Storage`. Faults of the storage are retried here, for a bounded time,
and nowhere else; what is then raised is a `StorageError`, or `ImageMissing` where the image alone is the
reason.
"""

from worker.storage.base import Directory, ImageMissing, Storage, StorageError
from worker.storage.open import open_storage

__all__ = ["Directory", "ImageMissing", "Storage", "StorageError", "open_storage"]
