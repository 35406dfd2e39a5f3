"""`/alerts`: what is wrong and who takes care of it. `/alerts/<id>`: one alert, also when it is over."""

from __future__ import annotations

from flask import Blueprint, Response, abort

from cloud_monitor.system.files import stamp_of
from webapp.alerts.causes import find_causes, silences_of
from webapp.alerts.rules.windows import open_windows
from webapp.alerts.store import FILE_NAME, AlertsState, read_alerts, read_history
from webapp.model.snapshot_view import SnapshotView
from webapp.pages.alerts import AlertPage, Naming, alert_page, alerts_page
from webapp.serving.context import current_alert_settings, current_settings, current_time
from webapp.views.render import Values, show_page

blueprint = Blueprint("alerts", __name__)

_HISTORY_MAX = 200


@blueprint.get("/alerts")
def show() -> Response:
    def values(view: SnapshotView) -> Values:
        state, settings, now = (
            read_alerts(current_settings().state_dir),
            current_alert_settings(),
            current_time(),
        )
        windows = open_windows(settings.windows, settings.zone, now)
        causes = find_causes(state.known.alerts, settings.rules, silences_of(state, settings, now), now)
        return {"page": alerts_page(state, causes, windows, settings, _naming(), now)}

    return show_page(
        "alerts", "alerts_body.html", values, page="alerts.html", heading="Alerts", edition=_edition()
    )


@blueprint.get("/alerts/<alert_id>")
def alert(alert_id: str) -> Response:
    edition = _edition()
    state = read_alerts(current_settings().state_dir)
    page = _page_of(state, alert_id)
    return show_page(
        "alert",
        "alert_body.html",
        lambda view: {"page": page},
        page="alerts.html",
        heading=page.title,
        edition=edition,
    )


def _page_of(state: AlertsState, alert_id: str) -> AlertPage:
    settings, now = current_alert_settings(), current_time()
    causes = find_causes(state.known.alerts, settings.rules, silences_of(state, settings, now), now)
    found = next((one for one in state.known.alerts.values() if one.id == alert_id), None)
    cause = next((one for one in causes if one.alert is found), None)
    history = read_history(current_settings().state_dir, _HISTORY_MAX, alert_id)
    if found is None and not history:
        abort(404)
    return alert_page(found, cause, history, settings, _naming(), now)


def _naming() -> Naming:
    return Naming(current_settings().grid_names)


def _edition() -> str:
    """Changes with whatever is remembered of alerts, and with their rules."""
    settings = current_settings()
    file = settings.state_dir / FILE_NAME
    files = [file, file.with_name(f"{file.name}-wal"), *filter(None, [settings.alerts_file])]
    return "-".join(f"{number:x}" for one in files for number in stamp_of(one) or (0,))
