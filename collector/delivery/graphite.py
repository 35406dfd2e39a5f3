"""Read points back from the store's /render (graphite-web, VictoriaMetrics)."""

from __future__ import annotations

import http.client
import json
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Iterable
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlencode

from cloud_monitor.metrics.paths import STEP_S
from collector.delivery.destinations import RenderFailed

_ANSWER_BYTES_MAX = 64 << 20


class RenderAnswer(NamedTuple):
    values: dict[str, dict[int, float]]  # path -> timestamp -> value
    clock_ahead_s: float | None  # how much the store's clock is ahead of ours; None where it does not tell


def fetch_render(
    url: str, targets: Iterable[str], from_s: int, until_s: int, timeout_s: float, ca_file: Path | None = None
) -> RenderAnswer:
    """Values of all targets from `from_s` to `until_s` (both included)."""
    parameters = [("target", target) for target in targets]
    parameters += [("from", str(from_s - STEP_S)), ("until", str(until_s + STEP_S)), ("format", "json")]
    request = urllib.request.Request(f"{url.rstrip('/')}/render", urlencode(parameters).encode())
    context = (
        ssl.create_default_context(cafile=str(ca_file) if ca_file else None) if url[:5] == "https" else None
    )
    try:
        with urllib.request.urlopen(request, timeout=timeout_s, context=context) as response:
            date = response.headers.get("Date")
            body = response.read(_ANSWER_BYTES_MAX)
        values = {
            series["target"]: {
                int(at): float(value) for value, at in series["datapoints"] if value is not None
            }
            for series in json.loads(body)
        }
        ahead_s = parsedate_to_datetime(date).timestamp() - time.time() if date else None
    except (OSError, http.client.HTTPException) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        raise RenderFailed(f"{url}/render: {reason or type(error).__name__}") from None
    except (ValueError, TypeError, KeyError) as error:
        raise RenderFailed(f"{url}/render: the answer is not render's JSON ({error})") from None
    return RenderAnswer(values, ahead_s)
