"""Errors that modules of delivery share without sharing each other's libraries."""

from __future__ import annotations


class RenderFailed(Exception):
    """The store's /render does not answer as one should; the message says which and how."""
