"""One ClassAd as a plain mapping, whatever its attributes hold.

Users, startds and tools put anything into an ad: text that is not UTF-8 (which raises in the bindings),
undefined and error (which look like the integers 2 and 1), expressions. An odd attribute costs itself alone,
and is told once per query in one line (`take_oddities`).
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from typing import Any

Plain = str | int | float | bool | None

_PLAIN = frozenset((str, int, float, bool, type(None)))
_NAMED_MAX = 3  # oddities of one attribute that are named; the others are counted

# In bytes, and so done by ClassAd itself: nothing else in Python takes such a string.
_READABLE = 'regexps("[^ -~]", {}, "?", "fg")'
_HELPER = "CloudMonitorReadable"

_oddities: dict[tuple[str, str, str], list[str]] = {}


def take_oddities() -> list[str]:
    """What was read otherwise than it stands, or left out, since the last call: one line for each peer."""
    by_peer: dict[str, list[str]] = {}
    for (peer, attribute, what), names in _oddities.items():
        shown = ", ".join(names[:_NAMED_MAX])
        more = f" and {len(names) - _NAMED_MAX} more" if len(names) > _NAMED_MAX else ""
        by_peer.setdefault(peer, []).append(f"{attribute} {what} ({shown}{more})")
    _oddities.clear()
    return [f"{peer}: {'; '.join(sorted(parts))}" for peer, parts in sorted(by_peer.items())]


class Ad:
    """A ClassAd of a peer, for reading; what is set is for the evaluation of expressions."""

    __slots__ = ("_ad", "_peer")

    def __init__(self, ad: Any, peer: str = "") -> None:
        """peer: who sent it, for the line about oddities."""
        self._ad, self._peer = ad, peer

    def get(self, name: str, default: Any = None) -> Any:
        """A plain value; the default where the attribute is absent, undefined, an error, or a list.

        An expression is evaluated, and bytes that are not UTF-8 are question marks.
        """
        try:
            value = self._ad.get(name)
            if type(value) not in _PLAIN:
                value = self._ad.eval(name)
        except UnicodeDecodeError:
            self.note(name, "is not UTF-8")
            value = self._read_bytes(name)
        except Exception:  # noqa: BLE001 - an expression raises whatever its functions raise
            self.note(name, "cannot be evaluated")
            return default
        if type(value) not in _PLAIN:
            if getattr(value, "name", "") != "Undefined":
                self.note(name, "is an error or a list")
            return default
        return default if value is None else value

    def plain_values(self, names: Iterable[str]) -> tuple[Plain, ...] | None:
        """The attributes as they stand, None for absent ones; None where one of them is not a plain value."""
        try:
            values = tuple(self._ad.get(name) for name in names)
        except UnicodeDecodeError:
            return None
        return values if all(type(value) in _PLAIN for value in values) else None

    def unresolved(self, name: str) -> Any | None:
        """The expression of an attribute that has no value in this ad as it was sent; else None."""
        try:
            value = self._ad.get(name)
            if type(value) in _PLAIN or not hasattr(value, "eval"):
                return None
            return None if type(self._ad.eval(name)) in _PLAIN else value
        except Exception:  # noqa: BLE001 - as above
            return None

    def eval(self, name: str) -> Any:
        return self._ad.eval(name)

    def __setitem__(self, name: str, value: Any) -> None:
        self._ad[name] = value

    def note(self, attribute: str, what: str) -> None:
        """Remember an oddity of this ad."""
        _oddities.setdefault((self._peer, attribute, what), []).append(self._name())

    def _read_bytes(self, name: str) -> Any:
        try:
            self._ad[_HELPER] = _expression(_READABLE.format(name))
            value = self._ad.eval(_HELPER)
        except Exception:  # noqa: BLE001 - the oddity is told; without a value the attribute is absent
            return None
        return value if isinstance(value, str) else None

    def _name(self) -> str:
        """What an operator finds it by."""
        for names in (("ClusterId", "ProcId"), ("JobIds",), ("Name",)):
            try:
                found = [self._ad.get(name) for name in names]
            except UnicodeDecodeError:
                continue
            if all(type(value) in (int, str) for value in found):
                text = ".".join(map(str, found))[:100]
                return text if names == ("Name",) else f"job {text}"
        return "an ad without a name"


def _expression(text: str) -> Any:
    try:
        return import_module("classad2").ExprTree(text)
    except ImportError:
        return import_module("classad").ExprTree(text)
