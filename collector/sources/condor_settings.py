"""The settings of the HTCondor source, a part of the collector's settings."""

from __future__ import annotations

from pydantic import BaseModel


class CondorSettings(BaseModel):
    pass
