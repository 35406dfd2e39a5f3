"""Files of several pages: a listing knows their names alone, so whoever claims one and has it on disk adds
its pages, all of them or none.
"""

from __future__ import annotations

from sqlalchemy import Connection, and_, func, insert, select, update

from worker.queue.claims import HELD, holder, lost
from worker.queue.model import Claim, QueuedImage
from worker.queue.schema import UNFINISHED, chunks, images


def add_pages(connection: Connection, claim: Claim, number: int, pages: int) -> tuple[QueuedImage, ...]:
    """The image becomes the first page; gives the others, as images of the same chunk. What was added before
    is not added again. Raises LeaseLost.
    """
    held = select(chunks.c.id).where(HELD).with_for_update()
    if connection.execute(held, holder(claim)).one_or_none() is None:
        raise lost(claim)
    this = and_(images.c.chunk_id == claim.chunk, images.c.number == number)
    document = connection.execute(select(images).where(this)).one()
    if document.page is None:
        last = select(func.max(images.c.number)).where(images.c.chunk_id == claim.chunk)
        first = connection.execute(last).scalar_one() + 1
        connection.execute(update(images).where(this).values(page=1))
        shared = {"chunk_id": claim.chunk, "name": document.name, "quarantined": document.quarantined}
        rows = [shared | {"number": first + page - 2, "page": page} for page in range(2, pages + 1)]
        connection.execute(insert(images), rows)
        more = chunks.c.images_total + len(rows)
        connection.execute(update(chunks).where(chunks.c.id == claim.chunk).values(images_total=more))
    others = (
        select(images.c.number, images.c.name, images.c.quarantined, images.c.page)
        .where(images.c.chunk_id == claim.chunk, images.c.name == document.name, images.c.page > 1)
        .order_by(images.c.page)
    )
    return tuple(QueuedImage(*row) for row in connection.execute(others))


def count_documents(connection: Connection) -> dict[int, int]:
    """By batch: images of chunks not at an end, which may be files of several pages by their names."""
    left = (
        select(chunks.c.batch_id, func.sum(chunks.c.documents))
        .where(chunks.c.state.in_(UNFINISHED), chunks.c.documents > 0)
        .group_by(chunks.c.batch_id)
    )
    return {batch_id: int(count) for batch_id, count in connection.execute(left)}
