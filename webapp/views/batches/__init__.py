"""What is asked of batches from the page and by `/api/batches`: submitted, paused, cancelled, put back."""

from webapp.views.batches import api

__all__ = ["api"]
