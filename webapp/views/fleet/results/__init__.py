"""Results of the fleet: their pages, pictures, exports and reviews, and what programs read of them."""

from __future__ import annotations

from webapp.views.fleet.results import api, batch, chunks, export, failed, pictures, result, reviews

BLUEPRINTS = (
    batch.blueprint,
    failed.blueprint,
    chunks.blueprint,
    reviews.blueprint,
    result.blueprint,
    api.blueprint,
    export.blueprint,
    pictures.blueprint,
)
