"""The settings of telemetry, which the parts that have it share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr

from cloud_monitor.setting_types import SettingsGroup
from cloud_monitor.telemetry.addresses import (
    TelemetryTargets,
    check_connection_string,
    check_otlp_endpoint,
    check_otlp_headers,
    parse_headers,
)


class TelemetryFields(SettingsGroup):
    applicationinsights_connection_string: Annotated[
        SecretStr | None, AfterValidator(check_connection_string)
    ] = Field(
        None,
        description="connection string of Application Insights, that telemetry goes to; unset: none. "
        "APPLICATIONINSIGHTS_CONNECTION_STRING is taken too",
    )
    otlp_endpoint: Annotated[str, AfterValidator(check_otlp_endpoint)] = Field(
        "",
        description="OTLP receiver (HTTP, protobuf) that telemetry goes to: what stands before /v1/traces; "
        "unset: none. OTEL_EXPORTER_OTLP_ENDPOINT is taken too",
    )
    otlp_headers: Annotated[SecretStr | None, AfterValidator(check_otlp_headers)] = Field(
        None,
        description="headers for it, `name=value,name=value`, such as a token; OTEL_EXPORTER_OTLP_HEADERS is "
        "taken too",
    )
    telemetry_max_mb: float = Field(
        10,
        ge=0.1,
        le=10_000,
        description="most disk for telemetry that waits to be sent; the oldest goes first",
    )

    def telemetry_targets(self, state_dir: Path) -> TelemetryTargets:
        secret = self.applicationinsights_connection_string
        return TelemetryTargets(
            secret.get_secret_value() if secret else "",
            self.otlp_endpoint,
            parse_headers(self.otlp_headers),
            state_dir / "unsent-telemetry",  # the page has a folder `telemetry` of its own
            int(self.telemetry_max_mb * 1e6),
        )
