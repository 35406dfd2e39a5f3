"""Connection strings, addresses and headers of telemetry: what is taken, and what is refused by name."""

from __future__ import annotations

from uuid import UUID

import pytest
from pydantic import SecretStr

from cloud_monitor.settings import SettingsRefused
from cloud_monitor.telemetry.addresses import (
    TelemetryTargets,
    check_connection_string,
    ingestion_endpoint,
    parse_headers,
    plain_connection_string,
)
from worker.settings import read_settings

KEY = "00000000-0000-0000-0000-000000000001"


def targets_of(environment: dict[str, str]) -> TelemetryTargets:
    settings = read_settings(environment)
    return settings.telemetry_targets(settings.state_dir)


@pytest.mark.parametrize(
    ("text", "url"),
    [
        (f"InstrumentationKey={KEY}", "https://dc.services.visualstudio.com/v2.1/track"),
        (
            f"InstrumentationKey={KEY};IngestionEndpoint=https://westeurope-5.in.example.com/;LiveEndpoint=x",
            "https://westeurope-5.in.example.com/v2.1/track",
        ),
        (f"InstrumentationKey={KEY};EndpointSuffix=ai.example.cn", "https://dc.ai.example.cn/v2.1/track"),
        (
            f"InstrumentationKey={KEY};EndpointSuffix=ai.example.cn;Location=north",
            "https://north.dc.ai.example.cn/v2.1/track",
        ),
    ],
)
def test_a_connection_string_says_where_to(text: str, url: str) -> None:
    for name in ("WORKER_APPLICATIONINSIGHTS_CONNECTION_STRING", "APPLICATIONINSIGHTS_CONNECTION_STRING"):
        assert targets_of({name: text}).urls == {"azure": url}


def test_an_otlp_receiver_has_an_address_for_each_signal() -> None:
    targets = targets_of(
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://h:4318/", "WORKER_OTLP_HEADERS": "a=b=c, d= e,f=Basic%20g=="}
    )
    assert targets.urls == {
        "otlp-traces": "http://h:4318/v1/traces",
        "otlp-logs": "http://h:4318/v1/logs",
        "otlp-metrics": "http://h:4318/v1/metrics",
    }
    assert targets.headers == (("a", "b=c"), ("d", "e"), ("f", "Basic g=="))


@pytest.mark.parametrize(
    "text",
    ["hello", "InstrumentationKey=abc", f"{KEY}", f"InstrumentationKey={KEY};IngestionEndpoint=ftp://x",
     f"InstrumentationKey={KEY};Authorization=aad"],
)  # fmt: skip
def test_a_malformed_connection_string_is_refused_by_name_and_not_shown(text: str) -> None:
    with pytest.raises(SettingsRefused) as refused:
        read_settings({"APPLICATIONINSIGHTS_CONNECTION_STRING": text})
    said = str(refused.value)
    assert said.startswith("WORKER_APPLICATIONINSIGHTS_CONNECTION_STRING=(hidden): its ")
    assert text not in said.replace("InstrumentationKey=UUID", "")


@pytest.mark.parametrize("url", ["h:4318", "ftp://h", "http://u:p@h:4318", "http://h:x", "http://h/?a=b"])
def test_a_malformed_receiver_is_refused_by_name(url: str) -> None:
    with pytest.raises(SettingsRefused, match="WORKER_OTLP_ENDPOINT="):
        read_settings({"WORKER_OTLP_ENDPOINT": url})


@pytest.mark.parametrize("text", ["token", "a b=c", "a=b\n"])
def test_headers_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="name=value"):
        parse_headers(SecretStr(f"x=y,{text}\x00"))


@pytest.mark.parametrize("text", ["a=b%0d%0aX: y", "a=%ff", "a=%00"])
def test_no_header_is_made_of_another(text: str) -> None:
    with pytest.raises(ValueError, match="no header may have"):
        parse_headers(SecretStr(text))


@pytest.mark.parametrize("key", [KEY.replace("-", ""), "00000000-0000-0000-0000-00000000000A", f"{{{KEY}}}"])
@pytest.mark.parametrize("more", ["", ";", ";EndpointSuffix=ai.example.cn;Authorization=ikey"])
def test_what_is_taken_at_start_the_exporter_takes_too(key: str, more: str) -> None:
    from azure.monitor.opentelemetry.exporter._connection_string_parser import ConnectionStringParser

    text = f"InstrumentationKey={key}{more}"
    assert check_connection_string(SecretStr(text)) is not None
    taken = ConnectionStringParser(plain_connection_string(text))
    assert (taken.endpoint, taken.instrumentation_key) == (ingestion_endpoint(text), str(UUID(key)))
