"""The description of the interface, tried on the app itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, Phase, given, settings
from openapi_spec_validator import validate

from tests.services.proxy import run_proxy
from tests.services.short import examples
from tests.webapp.listings import TOKEN, put_list, sample_list, write_token
from tests.webapp.sample import clock, write_sample
from tests.webapp.views.machines import open_sample
from tests.worker.queue.helpers import claim
from webapp import create_app
from webapp.settings import Settings
from worker.answers.notes import Note
from worker.queue import Result

OPERATIONS = (
    "status", "series", "vms", "jobs", "inventory", "put_inventory", "export", "health", "metrics", "badge",
    "openapi", "machines", "preview_machines", "create_machines", "delete_machine", "change_group",
    "alerts", "alert", "acknowledge", "take_back_acknowledgement", "silences", "add_silence",
    "remove_silence",
    "annotations", "annotate", "take_azure", "reviews", "review", "take_back_review", "agreement",
    "results", "result", "export_results",
    "batches", "submit_batch", "pause_batch", "resume_batch", "cancel_batch", "retry_batch",
    "change_batch_deadline", "batch_wish", "submit_sources",
)  # fmt: skip
CHANGER = "a-token-to-change-things"
CHANGES = (
    "acknowledge", "take_back_acknowledgement", "add_silence", "remove_silence", "create_machines",
    "delete_machine", "change_group", "annotate", "review", "take_back_review",
    "submit_batch", "pause_batch", "resume_batch", "cancel_batch", "retry_batch", "change_batch_deadline",
    "submit_sources",
)  # fmt: skip


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    state_dir = tmp_path_factory.mktemp("state")
    write_sample(state_dir)
    with run_proxy() as proxy:
        proxy.mode = "empty"
        url = f"sqlite:///{state_dir / 'queue.db'}"
        queue = open_sample(url)
        queue.add_directories(queue.add_batch("run", "/data"), [("d", ["a.png", "b.png"])], 2)
        note = Note("unparsable", "ring bond 1 is not closed")
        read = Result(0, "C1", ("C", "1"), (1.0, 0.25), notes=(note,))
        queue.store(claim(queue), [read, Result(1, None, error="BlankImage: grey")])
        queue.close()
        changers = state_dir / "changers"
        changers.write_text(f"tester {CHANGER}\n")
        app = create_app(
            Settings(
                graphite_url=proxy.url,
                state_dir=state_dir,
                inventory_token_file=write_token(state_dir),
                token_file=changers,
                fleet_database_url=url,
                wishes_database_url=url,
            ),
            poll=False,
            clock=clock,
        )
        put_list(app, "belle", sample_list())
        yield app


@pytest.fixture(scope="module")
def schema(app: Flask) -> Any:
    import schemathesis  # takes a second, which not every process of a run need spend

    return schemathesis.openapi.from_wsgi("/api/openapi.json", app)


@pytest.mark.parametrize("name", OPERATIONS)
def test_answers_are_as_described(schema: Any, name: str) -> None:
    """Whatever a client may send by the description, and much that it may not."""
    from schemathesis.specs.openapi.checks import positive_data_acceptance

    # The catalog and "from before until" are more than a JSON schema can say: 400 is right there.
    # To a JSON schema 1.0 is an integer, and half of a surrogate pair is text: a list may have neither.
    # Neither does a schema know which rules, alerts and silences there are, or that a filter needs a batch.
    beyond = (
        "series",
        "export",
        "put_inventory",
        "alert",
        "preview_machines",
        "annotations",
        "take_azure",
        "agreement",
        "batch_wish",
        "export_results",
        *CHANGES,
    )
    excluded = [positive_data_acceptance] if name in beyond else []
    headers = {"Accept-Encoding": "identity"}
    if name in ("inventory", "put_inventory"):
        headers["Authorization"] = f"Bearer {TOKEN}"
    if name in CHANGES:
        headers["Authorization"] = f"Bearer {CHANGER}"

    @given(case=schema.find_operation_by_id(name).as_strategy())
    @settings(
        max_examples=examples(25),
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.explicit, Phase.generate],
    )
    def try_out(case: Any) -> None:
        # schemathesis's own client does not unpack compressed answers
        case.call_and_validate(headers=headers, excluded_checks=excluded)

    try_out()


@pytest.mark.parametrize(
    ("name", "path", "query"),
    [
        ("results", {}, {"batch": "run"}),
        ("results", {}, {"batch": "run", "show": "failed"}),
        ("results", {}, {"batch": "run", "folder": "d", "limit": 1}),
        ("result", {"chunk": 1, "number": 0}, {"show": "not_a_molecule"}),
        ("result", {"chunk": 1, "number": 1}, {}),
    ],
)
def test_results_that_are_there_are_as_described(
    schema: Any, name: str, path: dict[str, int], query: dict[str, Any]
) -> None:
    case = schema.find_operation_by_id(name).Case(path_parameters=path, query=query)
    assert case.call_and_validate(headers={"Accept-Encoding": "identity"}).status_code == 200


def test_the_description_is_valid_and_names_every_route_for_programs(tmp_path: Path) -> None:
    app = create_app(Settings(state_dir=tmp_path), poll=False, clock=clock)
    document = app.test_client().get("/api/openapi.json").json
    validate(document)
    routes = {
        re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith(("/api/", "/export", "/metrics", "/health", "/badge/"))
    }
    assert set(document["paths"]) == routes
    named = {asked["operationId"] for path in document["paths"].values() for asked in path.values()}
    assert named == set(OPERATIONS)
