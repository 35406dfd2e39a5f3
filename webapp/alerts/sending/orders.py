"""What the sender is told when it starts: addresses, actions, how long to wait; plain values as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from webapp.alerts.sending.outbox import OutMessage

BACK_OFF_S = (15.0, 60.0, 300.0, 900.0)  # after each failure; the last one from then on


@dataclass(frozen=True, slots=True)
class ActionOrder:
    """A command of the operator; `channels` are told when it fails."""

    command: tuple[str, ...]
    timeout_s: float
    at_most_each_s: float
    channels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SendOrders:
    """Without `messages` what is due in the outbox is sent."""

    addresses: Mapping[str, str]
    address_files: Mapping[str, str]
    actions: Mapping[str, ActionOrder]
    back_off_s: tuple[float, ...] = BACK_OFF_S
    messages: tuple[OutMessage, ...] | None = None

    def address_of(self, channel: str) -> str:
        """Raises ValueError where there is none."""
        if channel in self.addresses:
            return self.addresses[channel]
        if channel not in self.address_files:
            raise ValueError(f"there is no channel {channel!r} any more")
        try:
            return Path(self.address_files[channel]).read_text().split("\n")[0].strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(f"its file cannot be read: {error}") from None

    def as_json(self) -> bytes:
        return json.dumps(asdict(self)).encode()

    @staticmethod
    def parse(text: bytes) -> SendOrders:
        """The inverse of `as_json`."""
        told = json.loads(text)
        actions = {
            name: ActionOrder(
                tuple(one["command"]), one["timeout_s"], one["at_most_each_s"], tuple(one["channels"])
            )
            for name, one in told["actions"].items()
        }
        messages = told["messages"]
        return SendOrders(
            told["addresses"], told["address_files"], actions, tuple(told["back_off_s"]),
            None if messages is None else tuple(OutMessage(**one) for one in messages),
        )  # fmt: skip
