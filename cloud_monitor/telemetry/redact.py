"""Secrets taken out of what telemetry says: passwords, tokens and keys in addresses and the like. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

HIDDEN = "REDACTED"
TEXT_MAX = 8000  # characters of one value; Application Insights takes 8,192 of a property

_PASSWORD = re.compile(r"(://[^/@:\s]*):[^@\s]{1,256}@")  # SQLAlchemy takes one with a slash too
_PARAMETER = re.compile(
    r"\b(sig|signature|token|access_token|password|passwd|pwd|secret|api[_-]?key|code)=[^&\s;,'\"]+",
    re.IGNORECASE,
)
_NAMED = re.compile(  # as JSON, Python and headers have it
    r"\b(token|access_token|password|passwd|secret|api[_-]?key)([\"']?\s?:\s?[\"']?)[^\s;,'\"]+",
    re.IGNORECASE,
)
_KEY = re.compile(r"\b(AccountKey|SharedAccessKey|SharedAccessSignature)=[^;\s'\"]+", re.IGNORECASE)
_BEARER = re.compile(r"\b(Bearer|SharedKey|Basic)\s+[A-Za-z0-9._~+/=:-]{8,}")


def redact_text(text: str) -> str:
    """Without secrets, and not longer than TEXT_MAX."""
    text = _PASSWORD.sub(rf"\1:{HIDDEN}@", text)
    text = _KEY.sub(rf"\1={HIDDEN}", text)
    text = _PARAMETER.sub(rf"\1={HIDDEN}", text)
    text = _NAMED.sub(rf"\1\2{HIDDEN}", text)
    return _BEARER.sub(rf"\1 {HIDDEN}", text)[:TEXT_MAX]


def redact_values(values: Mapping[str, Any] | None) -> dict[str, Any]:
    return {name: _redact_value(value) for name, value in (values or {}).items()}


def _redact_value(value: Any) -> Any:
    if isinstance(value, str):
        return redact_text(value)
    return tuple(map(_redact_value, value)) if isinstance(value, (list, tuple)) else value
