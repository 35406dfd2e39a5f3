"""Files of pages that ask for more than they should: PDF, TIFF and animations, made here."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Sequence

from PIL import Image, ImageDraw

from tests.worker.decimer.kept import FORMATS

LINES = b"5 w 20 20 m 80 80 l S 80 20 m 20 80 l S"
CATALOG = b"<</Type/Catalog/Pages 2 0 R>>"
FORM = b"/Type/XObject/Subtype/Form/BBox[0 0 100 100]"


def pdf(objects: Sequence[bytes], trailer: bytes = b"") -> bytes:
    """The first object is the catalog."""
    content, places = b"%PDF-1.7\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(content))
        content += b"%d 0 obj\n" % number + body + b"\nendobj\n"
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    head = b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    end = b"trailer\n<</Size %d/Root 1 0 R%s>>\nstartxref\n%d\n%%%%EOF\n"
    return content + head + table + end % (len(objects) + 1, trailer, len(content))


def stream(data: bytes, more: bytes = b"") -> bytes:
    return b"<</Length %d%s>>stream\n" % (len(data), more) + data + b"\nendstream"


def one_page(
    box: bytes = b"0 0 100 100", pages: int = 1, *, catalog: bytes = CATALOG, page: bytes = b""
) -> bytes:
    """Two lines; `pages` is what it says it has."""
    tree = b"<</Type/Pages/Count %d/Kids[3 0 R]/MediaBox[%s]>>" % (pages, box)
    return pdf([catalog, tree, b"<</Type/Page/Parent 2 0 R/Contents 4 0 R%s>>" % page, stream(LINES)])


def with_script() -> bytes:
    script = b"<</S/JavaScript/JS(while\\(1\\){})>>"
    catalog = b"<</Type/Catalog/Pages 2 0 R/OpenAction%s>>" % script
    return one_page(catalog=catalog, page=b"/AA<</O%s>>" % script)


def with_password() -> bytes:
    tree = b"<</Type/Pages/Count 1/Kids[3 0 R]/MediaBox[0 0 100 100]>>"
    lock = b"<</Filter/Standard/V 1/R 2/O(%s)/U(%s)/P -44>>" % (b"a" * 32, b"b" * 32)
    page = b"<</Type/Page/Parent 2 0 R/Contents 4 0 R>>"
    return pdf(
        [CATALOG, tree, page, stream(LINES), lock], b"/Encrypt 5 0 R/ID[(%s)(%s)]" % (b"a" * 16, b"a" * 16)
    )


def nested_forms(depth: int = 20) -> bytes:
    """Each drawn four times by the one before."""
    tree = b"<</Type/Pages/Count 1/Kids[3 0 R]/MediaBox[0 0 100 100]>>"
    page = b"<</Type/Page/Parent 2 0 R/Contents 4 0 R/Resources<</XObject<</F 5 0 R>>>>>>"
    inner = [
        stream(b"/F Do " * 4, FORM + b"/Resources<</XObject<</F %d 0 R>>>>" % (6 + level))
        for level in range(depth)
    ]
    return pdf([CATALOG, tree, page, stream(b"/F Do"), *inner, stream(LINES, FORM)])


def many_lines(megabytes: int) -> bytes:
    """As many lines as that holds, packed to a five hundredth."""
    packer = zlib.compressobj(9)
    block = packer.compress(b"0 0 m 1 1 l S\n" * 70_000) + packer.flush(zlib.Z_FULL_FLUSH)
    packed = block[:2] + block[2:] * megabytes + b"\3\0"  # without a checksum, which PDFium does not ask for
    tree = b"<</Type/Pages/Count 1/Kids[3 0 R]/MediaBox[0 0 100 100]>>"
    page = b"<</Type/Page/Parent 2 0 R/Contents 4 0 R>>"
    return pdf([CATALOG, tree, page, stream(packed, b"/Filter/FlateDecode")])


def drawing() -> Image.Image:
    image = Image.new("L", (64, 64), 255)
    ImageDraw.Draw(image).line((5, 5, 60, 60), 0, 3)
    return image


def tiff_in_a_circle(pages: int = 3) -> bytes:
    """The last points to the first."""
    buffer = io.BytesIO()
    drawing().save(buffer, "TIFF", save_all=True, append_images=[drawing()] * (pages - 1))
    content = bytearray(buffer.getvalue())
    (first,) = struct.unpack_from("<I", content, 4)
    at = first
    while at:
        (entries,) = struct.unpack_from("<H", content, at)
        end = at + 2 + 12 * entries
        (at,) = struct.unpack_from("<I", content, end)
    struct.pack_into("<I", content, end, first)
    return bytes(content)


def animated_webp(frames: int, side: int) -> bytes:
    """Frames of 16 x 16 pixels on a canvas of `side` x `side`."""
    buffer = io.BytesIO()
    drawing().convert("RGB").resize((16, 16)).save(buffer, "WEBP", lossless=True)
    picture = buffer.getvalue()[12:]
    size, canvas = (struct.pack("<I", pixels - 1)[:3] * 2 for pixels in (16, side))
    frame = b"ANMF" + struct.pack("<I", 16 + len(picture)) + bytes(6) + size + b"\x0a\0\0\0" + picture
    frame += b"\0" * (len(frame) % 2)
    head = b"VP8X" + struct.pack("<I", 10) + b"\x02\0\0\0" + canvas + b"ANIM" + struct.pack("<I", 6)
    body = b"WEBP" + head + b"\xff\xff\xff\xff\0\0" + frame * frames
    return b"RIFF" + struct.pack("<I", len(body)) + body


def jpeg_2000(width: int, height: int, *, in_box: bool = True) -> bytes:
    """A picture of 64 x 64 pixels whose codestream, in a file or alone, says that it is larger."""
    buffer = io.BytesIO()
    drawing().save(buffer, "JPEG2000")
    content = bytearray(buffer.getvalue())
    begin = content.find(b"\xff\x4f\xff\x51")
    struct.pack_into(">II", content, begin + 8, width, height)
    return bytes(content if in_box else content[begin:])


def heic(width: int, height: int) -> bytes:
    """A drawing that calls itself larger."""
    content = bytearray((FORMATS / "aspirin.heic").read_bytes())
    struct.pack_into(">II", content, content.find(b"ispe") + 8, width, height)
    return bytes(content)


def avif(width: int, height: int) -> bytes:
    """A picture of 64 x 64 pixels that calls itself larger."""
    buffer = io.BytesIO()
    drawing().convert("RGB").save(buffer, "AVIF")
    content = bytearray(buffer.getvalue())
    struct.pack_into(">II", content, content.find(b"ispe") + 8, width, height)
    return bytes(content)
