"""`azure`: what the fleet sets up in Azure."""

from __future__ import annotations

import json

import click

from worker.azure_rules import ARM_URL, FAILURES_MAX, apply_rules, azure_rules, parse_insights_id
from worker.settings import MAX_CHUNKS, Settings

_LOCAL = ("http://127.0.0.1:", "http://localhost:")


@click.group()
def command() -> None:
    """Azure Monitor over the fleet's telemetry (docs/telemetry.md)."""


@command.command()
@click.option("--component", required=True, metavar="ID", help="Application Insights, by its id in Azure.")
@click.option("--action-group", required=True, metavar="ID", help="Who is told, by its id in Azure.")
@click.option("--location", required=True, metavar="REGION", help="Region of the component: westeurope.")
@click.option(
    "--email", multiple=True, metavar="ADDRESS", help="Make the action group too, with this receiver."
)
@click.option("--webhook", multiple=True, metavar="URL", help="The same, with this one.")
@click.option(
    "--chunks",
    type=click.IntRange(min=1),
    help="Active chunks from which on; default: WORKER_MAX_CHUNKS, or 35.",
)
@click.option(
    "--failures",
    type=click.IntRange(min=0),
    default=FAILURES_MAX,
    show_default=True,
    help="Within ten minutes.",
)
@click.option("--arm-url", default=ARM_URL, help="Azure Resource Manager, which another cloud has elsewhere.")
@click.option(
    "--dry-run/--apply",
    default=True,
    help="Print the requests as JSON (the default), or make what they ask for.",
)
@click.pass_obj
def rules(
    settings: Settings,
    component: str,
    action_group: str,
    location: str,
    email: tuple[str, ...],
    webhook: tuple[str, ...],
    chunks: int | None,
    failures: int,
    arm_url: str,
    dry_run: bool,
) -> None:
    """The alert rules `high-chunk-count` (over 5 minutes) and `many-failed-chunks` (over 10)."""
    if not arm_url.startswith(("https://", *_LOCAL)):
        raise click.BadParameter("a token goes there: an https address is expected", param_hint="--arm-url")
    place = parse_insights_id(component, "components")
    actions = parse_insights_id(action_group, "actionGroups")
    chunks_max = chunks or settings.active_chunks_max or MAX_CHUNKS["azure"] or 0
    wanted = list(azure_rules(place, actions, location, chunks_max, failures, email, webhook))
    if dry_run:
        rows = [rule.row(actions if rule.kind == "actionGroups" else place) for rule in wanted]
        click.echo(json.dumps(rows, indent=2))
        return
    for rule in wanted:
        target = actions if rule.kind == "actionGroups" else place
        for made in apply_rules([rule], target, arm_url):
            click.echo(f"made {made}")
