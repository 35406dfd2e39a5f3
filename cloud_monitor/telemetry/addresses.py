"""Where telemetry goes: the forms that the settings take, checked without any of OpenTelemetry. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit
from uuid import UUID

from pydantic import SecretStr

INGESTION_DEFAULT = "https://dc.services.visualstudio.com"
TRACK_PATH = "/v2.1/track"
OTLP_PATHS = {"otlp-traces": "/v1/traces", "otlp-logs": "/v1/logs", "otlp-metrics": "/v1/metrics"}

# Settings without a part's prefix that are taken too: what Azure's services and OpenTelemetry call them
STANDARD_NAMES = {
    "APPLICATIONINSIGHTS_CONNECTION_STRING": "applicationinsights_connection_string",
    "OTEL_EXPORTER_OTLP_ENDPOINT": "otlp_endpoint",
    "OTEL_EXPORTER_OTLP_HEADERS": "otlp_headers",
}
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+=[ -~]*")


@dataclass(frozen=True, slots=True)
class TelemetryTargets:
    """Where telemetry goes, and the folder where it waits to be sent; `headers` are the OTLP receiver's."""

    connection_string: str
    otlp_endpoint: str
    headers: tuple[tuple[str, str], ...]
    folder: Path
    bytes_max: int

    @property
    def any(self) -> bool:
        return bool(self.connection_string or self.otlp_endpoint)

    @property
    def urls(self) -> dict[str, str]:
        """Of what is spooled, by its kind."""
        found = {}
        if self.connection_string:
            found["azure"] = ingestion_endpoint(self.connection_string) + TRACK_PATH
        if self.otlp_endpoint:
            found |= {kind: self.otlp_endpoint.rstrip("/") + path for kind, path in OTLP_PATHS.items()}
        return found


def ingestion_endpoint(connection_string: str) -> str:
    """What it names, else that of the cloud and region that it names, else Azure's own."""
    parts = _parts(connection_string)
    if named := parts.get("ingestionendpoint"):
        return named.rstrip("/")
    if suffix := parts.get("endpointsuffix"):
        location = parts.get("location", "")
        return f"https://{location}{'.' if location else ''}dc.{suffix}"
    return INGESTION_DEFAULT


def plain_connection_string(connection_string: str) -> str:
    """The same in the one form that the vendor's exporter takes whole."""
    key = UUID(_parts(connection_string)["instrumentationkey"])
    return f"InstrumentationKey={key};IngestionEndpoint={ingestion_endpoint(connection_string)}"


def check_connection_string(secret: SecretStr | None) -> SecretStr | None:
    """Raises ValueError, without showing anything of it."""
    text = secret.get_secret_value() if secret else ""
    if not text:
        return None
    wanted = "expected InstrumentationKey=UUID;IngestionEndpoint=https://..."
    try:
        parts = _parts(text)
        UUID(parts.get("instrumentationkey", ""))
    except ValueError:
        raise ValueError(f"its InstrumentationKey is missing or no UUID; {wanted}") from None
    if not _is_web_address(ingestion_endpoint(text)):
        raise ValueError(f"its IngestionEndpoint is no web address; {wanted}")
    if parts.get("authorization", "ikey").lower() != "ikey":
        raise ValueError(f"its Authorization is another than ikey; {wanted}")
    return secret


def check_otlp_endpoint(url: str) -> str:
    if url and not _is_web_address(url):
        raise ValueError("expected an address such as http://127.0.0.1:4318, without user, `?` and `#`")
    return url


def check_otlp_headers(secret: SecretStr | None) -> SecretStr | None:
    parse_headers(secret)
    return secret


def parse_headers(secret: SecretStr | None) -> tuple[tuple[str, str], ...]:
    """`name=value` of a comma-separated list; a value may have %XX. Raises ValueError."""
    text = secret.get_secret_value() if secret else ""
    found = []
    for part in filter(None, map(str.strip, text.split(","))):
        if not _HEADER.fullmatch(part):
            raise ValueError("expected name=value,name=value")
        name, _, value = part.partition("=")
        value = unquote(value.strip())
        if not re.fullmatch(r"[ -~]*", value):
            raise ValueError("a value has what no header may have")
        found.append((name, value.strip()))
    return tuple(found)


def _parts(connection_string: str) -> dict[str, str]:
    """Raises ValueError for what is no `name=value`."""
    pairs = (part.partition("=") for part in connection_string.split(";") if part.strip())
    found = {}
    for name, equals, value in pairs:
        if not equals:
            raise ValueError("no name=value")
        found[name.strip().lower()] = value.strip()
    return found


def _is_web_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        well = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        return False
    return bool(well) and re.fullmatch(r"[!-~]+", url) is not None and not re.search(r"[@?#]", url)
