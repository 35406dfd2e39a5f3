"""Alert rules of Azure Monitor over the fleet's telemetry, as the JSON that its API takes. Pure but for the
last function.

`active_chunks` is aggregated by its maximum, since every supervisor tells the queue's; `failed_chunks` by its
sum. Ten minutes are no window of a metric alert, so that rule asks by a query.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from worker.errors import WorkerError

HIGH_CHUNK_COUNT, MANY_FAILED_CHUNKS = "high-chunk-count", "many-failed-chunks"
FAILURES_MAX = 5
ARM_URL = "https://management.azure.com"
_API = {"actionGroups": "2023-01-01", "metricAlerts": "2018-03-01", "scheduledQueryRules": "2023-12-01"}
_ID = re.compile(
    r"/subscriptions/(?P<subscription>[0-9a-f-]{36})/resourceGroups/(?P<group>[\w().-]+)"
    r"/providers/microsoft\.insights/(?P<kind>components|actionGroups)/(?P<name>[\w().-]+)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class InsightsId:
    """An Application Insights component, or an action group, by its id in Azure."""

    text: str
    subscription: str
    group: str
    name: str


@dataclass(frozen=True, slots=True)
class AzureRule:
    """One thing to make: `kind` as in its path."""

    kind: str
    name: str
    body: dict[str, Any]

    def row(self, group: InsightsId) -> dict[str, Any]:
        """As it is printed: the request that makes it."""
        path = (
            f"/subscriptions/{group.subscription}/resourceGroups/{group.group}/providers/Microsoft.Insights"
        )
        url = f"{path}/{self.kind}/{self.name}?api-version={_API[self.kind]}"
        return {"method": "PUT", "path": url, "body": self.body}


def parse_insights_id(text: str, kind: str) -> InsightsId:
    """`kind`: components or actionGroups. Raises WorkerError."""
    match = _ID.fullmatch(text.strip())
    if match is None or match["kind"].lower() != kind.lower():
        raise WorkerError(
            f"{text[:200]!r} is not /subscriptions/UUID/resourceGroups/GROUP"
            f"/providers/microsoft.insights/{kind}/NAME"
        )
    return InsightsId(match[0], match["subscription"], match["group"], match["name"])


def azure_rules(
    component: InsightsId,
    actions: InsightsId,
    location: str,
    chunks_max: int,
    failures_max: int = FAILURES_MAX,
    emails: Sequence[str] = (),
    webhooks: Sequence[str] = (),
) -> Iterator[AzureRule]:
    """The action group where receivers are given, then both rules."""
    if emails or webhooks:
        yield AzureRule("actionGroups", actions.name, action_group(actions.name, emails, webhooks))
    yield AzureRule("metricAlerts", HIGH_CHUNK_COUNT, high_chunk_count(component, actions, chunks_max))
    yield AzureRule(
        "scheduledQueryRules",
        MANY_FAILED_CHUNKS,
        many_failed_chunks(component, actions, location, failures_max),
    )


def action_group(name: str, emails: Sequence[str], webhooks: Sequence[str]) -> dict[str, Any]:
    return {
        "location": "global",
        "properties": {
            "groupShortName": name[:12],
            "enabled": True,
            "emailReceivers": [
                {"name": f"mail-{number}", "emailAddress": address, "useCommonAlertSchema": True}
                for number, address in enumerate(emails, 1)
            ],
            "webhookReceivers": [
                {"name": f"webhook-{number}", "serviceUri": url, "useCommonAlertSchema": True}
                for number, url in enumerate(webhooks, 1)
            ],
        },
    }


def high_chunk_count(component: InsightsId, actions: InsightsId, chunks_max: int) -> dict[str, Any]:
    return {
        "location": "global",
        "properties": {
            "description": f"More than {chunks_max} chunks are active at once",
            "severity": 2,
            "enabled": True,
            "scopes": [component.text],
            "evaluationFrequency": "PT5M",
            "windowSize": "PT5M",
            "targetResourceType": "microsoft.insights/components",
            "criteria": {
                "odata.type": "Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria",
                "allOf": [
                    {
                        "criterionType": "StaticThresholdCriterion",
                        "name": "active_chunks",
                        "metricName": "active_chunks",
                        "metricNamespace": "azure.applicationinsights",
                        "timeAggregation": "Maximum",
                        "operator": "GreaterThan",
                        "threshold": chunks_max,
                        "skipMetricValidation": True,  # else it is refused until the first point is there
                    }
                ],
            },
            "autoMitigate": True,
            "actions": [{"actionGroupId": actions.text}],
        },
    }


def many_failed_chunks(
    component: InsightsId, actions: InsightsId, location: str, failures_max: int
) -> dict[str, Any]:
    return {
        "location": location,
        "kind": "LogAlert",
        "properties": {
            "description": f"More than {failures_max} chunks failed within 10 minutes",
            "severity": 1,
            "enabled": True,
            "scopes": [component.text],
            "evaluationFrequency": "PT5M",
            "windowSize": "PT10M",
            "criteria": {
                "allOf": [
                    {
                        "query": 'customMetrics | where name == "failed_chunks"',
                        "metricMeasureColumn": "valueSum",
                        "timeAggregation": "Total",
                        "operator": "GreaterThan",
                        "threshold": failures_max,
                        "failingPeriods": {"numberOfEvaluationPeriods": 1, "minFailingPeriodsToAlert": 1},
                    }
                ]
            },
            "autoMitigate": True,
            "skipQueryValidation": True,  # as above
            "actions": {"actionGroups": [actions.text]},
        },
    }


def apply_rules(rules: Sequence[AzureRule], place: InsightsId, arm_url: str) -> Iterator[str]:
    """Make each, or change it; gives the ids. Raises WorkerError, which names the first that is refused."""
    try:
        from azure.core.exceptions import AzureError
        from azure.identity import DefaultAzureCredential
        from azure.mgmt.monitor import MonitorManagementClient
    except ImportError as error:
        raise WorkerError(f"{error}: pip install 'cloud-monitor[azure]'") from None
    bounds: dict[str, Any] = {"retry_total": 1, "connection_timeout": 5, "read_timeout": 30}
    options: dict[str, Any] = {"enforce_https": False} if arm_url.startswith("http:") else {}
    client = MonitorManagementClient(
        DefaultAzureCredential(process_timeout=10),
        place.subscription,
        base_url=arm_url,
        credential_scopes=[f"{arm_url.rstrip('/') if arm_url.startswith('https:') else ARM_URL}/.default"],
        **bounds,
    )
    makers: dict[str, Any] = {
        "actionGroups": client.action_groups,
        "metricAlerts": client.metric_alerts,
        "scheduledQueryRules": client.scheduled_query_rules,
    }
    with client:
        for rule in rules:
            try:
                made = makers[rule.kind].create_or_update(place.group, rule.name, rule.body, **options)
            except AzureError as error:
                first = (str(error).splitlines() or [""])[0]
                raise WorkerError(f"{rule.name}: Azure refused it: {type(error).__name__}: {first}") from None
            yield str(made.id)
