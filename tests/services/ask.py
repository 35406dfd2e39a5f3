"""HTTP from a test to what it has started: never by a proxy of the environment, and with patience."""

from __future__ import annotations

from typing import Any

import requests

from tests.services.support import PATIENCE_S


def get(url: str, **options: Any) -> requests.Response:
    return _ask("GET", url, **options)


def post(url: str, data: object = None, **options: Any) -> requests.Response:
    return _ask("POST", url, data=data, **options)


def put(url: str, data: object = None, **options: Any) -> requests.Response:
    return _ask("PUT", url, data=data, **options)


def new_session() -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    return session


def _ask(method: str, url: str, **options: Any) -> requests.Response:
    with new_session() as session:
        return session.request(method, url, **{"timeout": PATIENCE_S, **options})
