"""What can go wrong with one image, and with the model. An image's error begins with its class's name."""

from worker.errors import WorkerError
from worker.recognition import GreyThumbnail


class ImageRefused(Exception):
    """An image that cannot be read; its answer carries `describe()` and its neighbours are untouched. If it
    was decoded there may be a thumbnail.
    """

    thumbnail: GreyThumbnail | None = None

    def describe(self) -> str:
        return f"{type(self).__name__}: {self}"


class MissingImage(ImageRefused):
    """The file is not there or may not be read."""


class EmptyFile(ImageRefused):
    """The file has no bytes."""


class TooManyBytes(ImageRefused):
    """The file is larger than WORKER_IMAGE_MAX_BYTES."""


class NotAnImage(ImageRefused):
    """The content is in none of the formats that are read, whatever the file's name says."""


class TooManyPixels(ImageRefused):
    """The image has more pixels than WORKER_IMAGE_MAX_PIXELS, or a side that is too long."""


class TruncatedImage(ImageRefused):
    """The file ends before its image does."""


class DamagedImage(ImageRefused):
    """The content contradicts its own format."""


class BlankImage(ImageRefused):
    """Nothing is drawn: one colour all over, or nothing dark enough to read."""


class TooComplex(ImageRefused):
    """Drawing it takes more time or memory than is given to a page, or ended the library that does it."""


REFUSALS = {kind.__name__: kind for kind in ImageRefused.__subclasses__()}


class ModelError(WorkerError):
    """The model cannot be found, fetched, verified or prepared; the message says what to do."""
