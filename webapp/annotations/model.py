"""What an annotation is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, unquote

CLOUD_ENABLED, CLOUD_DISABLED, QUOTA = "cloud_enabled", "cloud_disabled", "quota"
RESTART, VMS_LOST = "restart", "vms_lost"
ALERT, WINDOW = "alert", "window"
MACHINE_CREATED, MACHINE_ENDED = "machine_created", "machine_ended"
NOTE = "note"  # by people and their programs
KINDS: Mapping[str, str] = {
    CLOUD_ENABLED: "cloud enabled",
    CLOUD_DISABLED: "cloud disabled",
    QUOTA: "quota changed",
    RESTART: "restart",
    VMS_LOST: "VMs lost",
    ALERT: "alert",
    WINDOW: "maintenance",
    MACHINE_CREATED: "machine created",
    MACHINE_ENDED: "machine ended",
    NOTE: "note",
}
TEXT_MAX, PLACE_MAX, TAGS_MAX = 500, 500, 10
TAG = r"[A-Za-z0-9_.:-]{1,40}"  # the whole of one


@dataclass(frozen=True, slots=True)
class Annotation:
    """Times are epoch seconds. `until` is None while it goes on, and `at` for what takes no time.

    `place` is as that of alerts: names from the grid on, each quoted, joined by `/`; empty for all of them.
    One with a `key` is noted once, however often it is added.
    """

    at: float
    until: float | None
    kind: str
    text: str
    place: str = ""
    by: str = ""
    tags: tuple[str, ...] = ()
    key: str = ""
    number: int = 0  # given by the store

    @property
    def kind_words(self) -> str:
        return KINDS.get(self.kind, self.kind)

    @property
    def label(self) -> str:
        """What kind it is, in words; of what people note, the tags they gave it."""
        return ", ".join(self.tags) if self.kind == NOTE and self.tags else self.kind_words

    @property
    def grid(self) -> str:
        return unquote(self.place.split("/", 1)[0], errors="replace")


def at_once(at: float, kind: str, text: str, *names: str, key: str = "") -> Annotation:
    """What takes no time, at the place of these names."""
    place = "/".join(quote(name, safe="", errors="surrogatepass") for name in names)
    return Annotation(at, at, kind, text[:TEXT_MAX], place[:PLACE_MAX], key=key)
