"""What Azure says: platform metrics by batch calls, and quotas; the only module here with its libraries."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any, NamedTuple, TypeVar

from azure.core import PipelineClient
from azure.core.credentials import TokenCredential
from azure.core.exceptions import AzureError, HttpResponseError
from azure.core.pipeline.policies import BearerTokenCredentialPolicy, RetryPolicy
from azure.core.rest import HttpRequest
from azure.identity import DefaultAzureCredential
from azure.monitor.querymetrics import MetricsClient

from cloud_monitor.system.text import one_line
from collector.azure.resources import AzureResource

CONNECT_S, READ_S = 3, 5
_ARM, _METRICS = (
    "https://management.azure.com",
    "https://metrics.monitor.azure.com",
)  # the public cloud
_USAGES = {"Microsoft.Compute": "2024-07-01", "Microsoft.Storage": "2023-05-01"}
# No retries: the next round comes in five minutes, and each call counts.
_BOUNDS: dict[str, Any] = {"retry_total": 0, "connection_timeout": CONNECT_S, "read_timeout": READ_S}

T = TypeVar("T")
Newest = Mapping[str, float | None]  # metric -> the newest value that there is


class QuotaUsage(NamedTuple):
    """`name` as Azure calls the quota: cores, standardDSv3Family, StorageAccounts, ..."""

    name: str
    used: float
    limit: float


class AzureRefused(Exception):
    """A call failed; `retry_after_s` is how long Azure wants to be left alone."""

    def __init__(self, text: str, retry_after_s: float = 0.0) -> None:
        super().__init__(text)
        self.retry_after_s = retry_after_s


def make_credential(client_id: str) -> TokenCredential:
    """The machine's managed identity, AZURE_* variables, or a login of `az`, whichever there is."""
    return DefaultAzureCredential(
        managed_identity_client_id=client_id or None, process_timeout=READ_S, **_BOUNDS
    )


class AzureClient:
    """Asks by one credential, until `deadline_s` (monotonic); `calls` counts what was asked."""

    def __init__(
        self, credential: TokenCredential, arm_url: str, metrics_url: str, deadline_s: float
    ) -> None:
        self._credential = credential
        self._arm_url, self._metrics_url = arm_url, metrics_url
        self._deadline_s = deadline_s
        self.calls = 0

    def query_metrics(
        self,
        resources: Sequence[AzureResource],
        kind: str,
        metrics: Sequence[str],
        granularity: timedelta,
        timespan: timedelta,
    ) -> list[Newest]:
        """Averages of resources of one region and subscription, in their order. Raises AzureRefused."""
        endpoint = self._metrics_url.replace("{region}", resources[0].region)
        audience = audience_of(self._metrics_url, _METRICS)

        named: list[str] = []

        def note_names(response: Any) -> None:  # its library drops them
            with suppress(KeyError, TypeError, ValueError):
                named.extend(row["resourceid"].lower() for row in response.http_response.json()["values"])

        def ask() -> list[Newest]:
            with MetricsClient(endpoint, self._credential, audience=audience, **_BOUNDS) as client:
                answers = client.query_resources(
                    resource_ids=[resource.id for resource in resources],
                    metric_namespace=kind,
                    metric_names=metrics,
                    timespan=timespan,
                    granularity=granularity,
                    aggregations=["Average"],
                    raw_response_hook=note_names,
                    **_transport(endpoint),
                )
            if len(answers) != len(resources):
                raise AzureRefused(f"{len(answers)} answers for {len(resources)} resources")
            found: list[Newest] = [
                {metric.name: _newest(metric) for metric in answer.metrics} for answer in answers
            ]
            by_name, wanted = dict(zip(named, found, strict=False)), [one.id.lower() for one in resources]
            return [by_name[name] for name in wanted] if by_name.keys() == set(wanted) else found

        return self._call(ask)

    def query_usages(self, subscription: AzureResource, provider: str) -> list[QuotaUsage]:
        """What a subscription uses in a region, and how much it may. Raises AzureRefused."""
        path = f"{subscription.id}/providers/{provider}/locations/{subscription.region}/usages"
        url = f"{self._arm_url}{path}?api-version={_USAGES[provider]}"

        def ask() -> list[QuotaUsage]:
            scope = f"{audience_of(self._arm_url, _ARM)}/.default"
            policies = [RetryPolicy.no_retries(), BearerTokenCredentialPolicy(self._credential, scope)]
            arm: Any = PipelineClient(self._arm_url, policies=policies)
            with arm as client:
                answer = client.send_request(
                    HttpRequest("GET", url),
                    connection_timeout=CONNECT_S,
                    read_timeout=READ_S,
                    **_transport(self._arm_url),
                )
                answer.raise_for_status()
                return list(_usages(answer.json()))

        return self._call(ask)

    def _call(self, ask: Callable[[], T]) -> T:
        if time.monotonic() > self._deadline_s:
            raise AzureRefused("no time is left to ask")
        self.calls += 1
        try:
            return ask()
        except HttpResponseError as error:
            headers: Mapping[str, str] = getattr(error.response, "headers", {})
            retry_after = headers.get("Retry-After", "")
            text = f"answered {error.status_code} {one_line(error.reason or '', 80)}"
            raise AzureRefused(text, float(retry_after) if retry_after.isdigit() else 0.0) from None
        except AzureError as error:
            first = (str(error).splitlines() or [""])[0]
            raise AzureRefused(f"{type(error).__name__}: {one_line(first, 200)}") from None
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise AzureRefused(f"answered what is no answer: {type(error).__name__}") from None


def audience_of(url: str, public: str) -> str:
    """Whom a token for this address is for: its cloud, which need not be the public one."""
    return url.replace("{region}.", "") if url.startswith("https:") else public


def _newest(metric: Any) -> float | None:
    values = [point.average for series in metric.timeseries for point in series.data]
    return next((float(value) for value in reversed(values) if value is not None), None)


def _usages(answer: Any) -> Iterator[QuotaUsage]:
    for row in answer["value"]:
        yield QuotaUsage(str(row["name"]["value"]), float(row["currentValue"]), float(row["limit"]))


def _transport(url: str) -> dict[str, Any]:
    """A token goes unencrypted to this host alone, which the settings check."""
    return {"enforce_https": False} if url.startswith("http:") else {}
