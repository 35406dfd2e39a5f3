"""An engine that only takes time: for benchmarks and fault tests of the queue, never for answers."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from worker.recognition import GreyThumbnail, Recognition, SourceImage

if TYPE_CHECKING:
    from worker.settings import EngineSettings


STUB = "stub"


class StubRecogniser:
    """Sleeps for `seconds_per_image` and answers methane; a file that cannot be read is its image's error.
    Thumbnails, where `settings` ask for them, are those of the real engine.
    """

    engine = model = STUB
    precision = "full"

    def __init__(self, seconds_per_image: float, settings: EngineSettings | None = None) -> None:
        self._seconds_per_image = seconds_per_image
        self._settings = settings if settings is not None and settings.thumbnails else None

    def recognise(self, images: Iterable[SourceImage]) -> Iterator[Recognition]:
        for image in images:
            time.sleep(self._seconds_per_image)
            if image.path.is_file():
                yield Recognition(image.key, "C", ("C",), (1.0,), thumbnail=self._thumbnail(image))
            else:
                yield Recognition(image.key, None, error="MissingImage: no such file")

    def _thumbnail(self, image: SourceImage) -> GreyThumbnail | None:
        if self._settings is None:
            return None
        from worker.decimer.errors import ImageRefused
        from worker.decimer.images.image_file import ImageLimits
        from worker.decimer.images.preprocess import read_page

        limits = ImageLimits(self._settings.image_max_bytes, self._settings.image_max_pixels)
        try:
            return read_page(image.path, limits, image.page, with_thumbnail=True).thumbnail
        except ImageRefused as refusal:
            return refusal.thumbnail
