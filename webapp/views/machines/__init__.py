"""Machines of the worker fleet, by its queue database: `/api/machines`."""

from __future__ import annotations

from webapp.views.machines import api

__all__ = ["api"]
