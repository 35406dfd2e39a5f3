"""Pages of a PDF as pictures, by PDFium (extra `pages`). One page at a time is in memory."""

from __future__ import annotations

import contextlib
import math
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image

from worker.decimer.errors import DamagedImage, MissingImage, NotAnImage

DOTS_PER_INCH = 300
POINTS_PER_INCH = 72
MOST_PIXELS = 12_000_000  # of a page: A4 has 8.7 million at 300 dots an inch
_one_at_a_time = threading.Lock()  # PDFium is not for several threads


def count_pdf_pages(path: Path) -> int:
    """Raises NotAnImage where PDFium is not installed; DamagedImage."""
    with _document(path) as document:
        return max(len(document), 1)


def render_page(path: Path, number: int, most_pixels: int, longest_side: int) -> tuple[Image.Image, int]:
    """The page in grey, at 300 dots an inch, or fewer where it would be larger than it may be, and how many
    pages there are. Raises MissingImage when there is no such page, and as `count_pdf_pages`.
    """
    with _document(path) as document:
        pages = len(document)
        if number > pages:
            raise MissingImage(f"there is no page {number}: the file has {pages}")
        page = document[number - 1]
        try:
            width, height = page.get_size()  # in points
            if not (0 < width < math.inf and 0 < height < math.inf):
                raise DamagedImage(f"page {number} has no size")
            scale = min(
                DOTS_PER_INCH / POINTS_PER_INCH,
                math.sqrt(min(most_pixels, MOST_PIXELS) / (width * height)) * 0.999,
                (longest_side - 1) / max(width, height),
            )
            bitmap = page.render(scale=scale, grayscale=True)
            try:
                return bitmap.to_pil().copy(), pages
            finally:
                bitmap.close()
        finally:
            page.close()


@contextlib.contextmanager
def _document(path: Path) -> Iterator[Any]:
    try:
        import pypdfium2
    except ImportError:
        raise NotAnImage("PDF is not read without pypdfium2: pip install 'cloud-monitor[pages]'") from None
    with _one_at_a_time:
        try:
            document = pypdfium2.PdfDocument(path)
        except pypdfium2.PdfiumError as error:
            raise DamagedImage(f"PDF: {error}") from None
        try:
            yield document
        finally:
            document.close()
