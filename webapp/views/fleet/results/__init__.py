"""Results of the fleet: their pages, pictures, exports and reviews, and what programs read of them."""

from __future__ import annotations

from webapp.views.fleet.results import api, export, pages, pictures, reviews

BLUEPRINTS = (
    pages.batches,
    pages.failed,
    pages.chunks,
    reviews.blueprint,
    pages.results,
    api.blueprint,
    export.blueprint,
    pictures.blueprint,
)
