"""No secret leaves in telemetry."""

from __future__ import annotations

import pytest

from cloud_monitor.telemetry.redact import TEXT_MAX, redact_text, redact_values


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("postgresql://fleet:geheim@db/queue", "postgresql://fleet:REDACTED@db/queue"),
        ("https://a.blob.core.windows.net/c/b?sv=1&sig=s3cr%2Bet&se=2", None),
        (
            "AccountName=a;AccountKey=s3cr+et==;EndpointSuffix=x",
            "AccountName=a;AccountKey=REDACTED;EndpointSuffix=x",
        ),
        ("Authorization: Bearer s3cr.et_token-x", "Authorization: Bearer REDACTED"),
        ("could not connect: password=s3cret host=db", "could not connect: password=REDACTED host=db"),
        ("postgresql://fleet:ge/heim@db/queue", "postgresql://fleet:REDACTED@db/queue"),
        ('{"password": "s3cret", "a": 1}', '{"password": "REDACTED", "a": 1}'),
        ("{'token': 's3cret'}", "{'token': 'REDACTED'}"),
        ("X-Token: s3cret", "X-Token: REDACTED"),
        ("status code: 404", "status code: 404"),
        ("chunk patents/0017 done", "chunk patents/0017 done"),
    ],
)
def test_secrets_are_taken_out(text: str, said: str | None) -> None:
    redacted = redact_text(text)
    assert "s3cr" not in redacted
    assert "heim" not in redacted
    if said is not None:
        assert redacted == said


def test_values_keep_their_types_and_have_an_end() -> None:
    assert redact_values({"a": 1, "b": "x?sig=1", "c": 2.5}) == {"a": 1, "b": "x?sig=REDACTED", "c": 2.5}
    assert redact_values({"a": ["sig=1", "b"], "n": [1]}) == {"a": ("sig=REDACTED", "b"), "n": (1,)}
    assert len(redact_text("x" * 100_000)) == TEXT_MAX
