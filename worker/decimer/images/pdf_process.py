"""The process that PDF files are opened in: PDFium takes what time and memory a file asks for, and some files
end it; here both are bounded, for each request and for what the process takes beyond its beginning, and
nobody else ends. `python -m worker.decimer.images.pdf_process CPU_S MEMORY_BYTES`

On standard input a JSON object a line: {"path"}, or {"path", "page", "pixels", "side"} to draw a page of at
most so many pixels. The answer is a JSON object on a line: {"pages"}, with {"width", "height", "stride"}
where the grey pixels follow; or {"error": its class in worker/decimer/errors.py, "text"}.
"""

from __future__ import annotations

import json
import math
import resource
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

DOTS_PER_INCH = 300
POINTS_PER_INCH = 72
MOST_PIXELS = 12_000_000  # of a page: A4 has 8.7 million at 300 dots an inch


class _Refused(Exception):
    """With the name of a class in worker/decimer/errors.py and a text."""


def main(cpu_s: float, memory_bytes: int) -> None:
    import pypdfium2  # before the bounds: the parent sees to it that it is there

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # it ends with its standard input: whoever asks may not be done
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGPROF})
    _bound_memory(memory_bytes)
    answers = sys.stdout.buffer
    for line in sys.stdin.buffer:
        with _bounded_time(cpu_s):
            said, pixels = _answer(pypdfium2, json.loads(line))
        answers.write(json.dumps(said).encode() + b"\n" + pixels)
        answers.flush()


def _bound_memory(more_bytes: int) -> None:
    with open("/proc/self/statm", encoding="ascii") as file:
        most = int(file.read().split()[0]) * resource.getpagesize() + more_bytes
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


@contextmanager
def _bounded_time(cpu_s: float) -> Iterator[None]:
    """By a signal whose default ends the process, since no Python runs while PDFium does."""
    signal.setitimer(signal.ITIMER_PROF, cpu_s)
    yield
    signal.setitimer(signal.ITIMER_PROF, 0)


def _answer(pdfium: Any, request: dict[str, Any]) -> tuple[dict[str, object], bytes]:
    """What is to be said, and the pixels that follow it."""
    try:
        with _document(pdfium, request["path"]) as document:
            pages: dict[str, object] = {"pages": max(len(document), 1)}
            if "page" not in request:
                return pages, b""
            drawn, pixels = _draw(document, request["page"], request["pixels"], request["side"])
            return pages | drawn, pixels
    except _Refused as refused:
        error, text = refused.args
        return {"error": error, "text": text}, b""
    except MemoryError:
        return {"error": "TooComplex", "text": "PDF: more memory than is given to a page"}, b""
    except (pdfium.PdfiumError, OSError, ValueError) as failure:
        return {"error": "DamagedImage", "text": f"PDF: {failure}"}, b""


@contextmanager
def _document(pdfium: Any, path: str) -> Iterator[Any]:
    try:
        document = pdfium.PdfDocument(path)
    except pdfium.PdfiumError as error:
        if "password" in str(error):  # the number of the error came with version 5
            raise _Refused("NotAnImage", "PDF that asks for a password is not read") from None
        raise
    try:
        yield document
    finally:
        document.close()


def _draw(document: Any, number: int, most_pixels: int, longest_side: int) -> tuple[dict[str, int], bytes]:
    if number > len(document):
        raise _Refused("MissingImage", f"there is no page {number}: the file has {len(document)}")
    page = document[number - 1]
    try:
        width, height = page.get_size()  # in points
        if not (0 < width < math.inf and 0 < height < math.inf):
            raise _Refused("DamagedImage", f"page {number} has no size")
        scale = min(
            DOTS_PER_INCH / POINTS_PER_INCH,
            math.sqrt(min(most_pixels, MOST_PIXELS) / (width * height)) * 0.999,
            (longest_side - 1) / max(width, height),
        )
        bitmap = page.render(scale=scale, grayscale=True)
        try:
            size = {"width": bitmap.width, "height": bitmap.height, "stride": bitmap.stride}
            return size, bytes(bitmap.buffer)
        finally:
            bitmap.close()
    finally:
        page.close()


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]))
