"""Ask Cloud Scheduler: version 1 through its command, version 2 through its pages over HTTPS."""

from __future__ import annotations

import base64
import http.client
import ssl
import urllib.error
import urllib.request
from dataclasses import replace

from cloud_monitor.system import progress
from collector.model import Collected
from collector.settings import CloudSchedulerSettings
from collector.sources.cloudscheduler import v1, v2
from collector.sources.programs import run_program, split_command

_ANSWER_BYTES_MAX = 64 << 20


class CloudSchedulerFailed(Exception):
    """Cloud Scheduler cannot be asked; says where and why."""


def collect(settings: CloudSchedulerSettings) -> Collected:
    if settings.cloudscheduler_url:
        return _collect_v2(settings)
    words = split_command(settings.cloud_status_command)
    text = run_program(words if len(words) > 1 else [*words, "-aj"])
    return v1.parse_cloud_status(text, settings.grid, with_details=settings.has_inventory)


def _collect_v2(settings: CloudSchedulerSettings) -> Collected:
    group, with_list = settings.cloudscheduler_group, settings.cloudscheduler_vm_list
    collected = v2.parse_cloud_status(
        _query_page(settings, "cloud/status/"), settings.grid, group, with_vms=not with_list
    )
    if with_list:
        page = _query_page(settings, "vm/list/")
        listed = v2.parse_vm_list(page, group, with_details=settings.has_inventory)
        collected = replace(collected, vms=listed.vms, vm_details=listed.vm_details)
    return collected


def _query_page(settings: CloudSchedulerSettings, page: str) -> str:
    """One page as JSON text; Cloud Scheduler 2 gives JSON only to who asks for it with a Referer."""
    url = f"{settings.cloudscheduler_url.rstrip('/')}/{page}"
    progress.report(f"asking {url}")
    request = urllib.request.Request(url, headers={"Accept": "application/json", "Referer": url})
    if credentials := read_credentials(settings):
        request.add_header("Authorization", "Basic " + base64.b64encode(credentials.encode()).decode())
    opener = urllib.request.build_opener(
        urllib.request.HTTPSHandler(context=_tls(settings)), _NoRedirect, urllib.request.ProxyHandler({})
    )
    try:
        with opener.open(request, timeout=settings.source_timeout_s) as response:
            body: bytes = response.read(_ANSWER_BYTES_MAX)
    except urllib.error.HTTPError as error:
        raise CloudSchedulerFailed(f"{url}: HTTP {error.code} {error.reason}") from None
    except (OSError, http.client.HTTPException) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        raise CloudSchedulerFailed(f"{url}: {reason or type(error).__name__}") from None
    return body.decode("utf-8", "replace")


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Credentials go nowhere but to the configured address; a redirect is an error that shows itself."""

    def redirect_request(self, *_: object, **__: object) -> None:
        return None


def _tls(settings: CloudSchedulerSettings) -> ssl.SSLContext:
    ca_file = settings.cloudscheduler_ca_file
    try:
        context = ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
        if settings.cloudscheduler_cert_file:
            context.load_cert_chain(settings.cloudscheduler_cert_file, settings.cloudscheduler_key_file)
    except OSError as error:
        raise CloudSchedulerFailed(f"COLLECTOR_CLOUDSCHEDULER_*_FILE: {error}") from None
    return context


def read_credentials(settings: CloudSchedulerSettings) -> str:
    """`user:password`, of a file (its first line) or the settings; empty where a certificate is to do."""
    file = settings.cloudscheduler_credentials_file
    if file is None:
        password = settings.cloudscheduler_password.get_secret_value()
        return f"{settings.cloudscheduler_user}:{password}" if settings.cloudscheduler_user else ""
    try:
        line = (file.expanduser().read_text().splitlines() or [""])[0].strip()
    except (OSError, UnicodeDecodeError) as error:
        raise CloudSchedulerFailed(f"COLLECTOR_CLOUDSCHEDULER_CREDENTIALS_FILE={file}: {error}") from None
    if ":" not in line:
        raise CloudSchedulerFailed(
            f"COLLECTOR_CLOUDSCHEDULER_CREDENTIALS_FILE={file}: its first line is not user:password"
        )
    return line
