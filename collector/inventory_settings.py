"""The settings of the inventory, a part of the collector's settings."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError


def _check_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        well = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # of a port or an IPv6 address
        well = False
    if url and (not well or not re.fullmatch(r"[!-~]+", url) or re.search(r"[@?#]", url)):
        raise ValueError("is not the address of a status page, for example https://monitor.example.org")
    return url


Url = Annotated[str, AfterValidator(_check_url)]
File = Annotated[Path, AfterValidator(Path.expanduser)]


class InventorySettings(BaseModel):
    inventory_url: Url = Field(
        "",
        description="address of the status page, to which each run sends a list of single VMs and jobs; "
        "unset: neither collected nor sent",
    )
    inventory_token_file: File | None = Field(
        None,
        validate_default=True,
        description="file whose first line is the secret shared with the page; must be set with the URL",
    )
    inventory_ca_file: File | None = Field(
        None, description="certificates to trust of the page; unset: the system's"
    )
    inventory_jobs_max: int = Field(
        1000, ge=0, le=10_000, description="most jobs in the list, held ones first; 0: none are asked for"
    )
    inventory_vms_max: int = Field(
        5000, ge=0, le=20_000, description="most VMs in the list, those with a problem first"
    )

    @field_validator("inventory_token_file")
    @classmethod
    def _check_token_file(cls, file: Path | None, given: ValidationInfo) -> Path | None:
        if file is None and given.data.get("inventory_url"):
            raise PydanticCustomError("missing", "must be set with COLLECTOR_INVENTORY_URL")
        return file
