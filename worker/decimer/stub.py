"""An engine that only takes time: for benchmarks and fault tests of the queue, never for answers."""

import time
from collections.abc import Iterable, Iterator

from worker.recognition import Recognition, SourceImage


class StubRecogniser:
    """Sleeps for `seconds_per_image` and answers methane; a file that cannot be read is its image's error."""

    engine = "stub"
    model = "stub"
    precision = "full"

    def __init__(self, seconds_per_image: float) -> None:
        self._seconds_per_image = seconds_per_image

    def recognise(self, images: Iterable[SourceImage]) -> Iterator[Recognition]:
        for image in images:
            time.sleep(self._seconds_per_image)
            if image.path.is_file():
                yield Recognition(image.key, "C", ("C",), (1.0,))
            else:
                yield Recognition(image.key, None, error="MissingImage: no such file")
