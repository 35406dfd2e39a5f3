"""`webapp annotate "1.4" --tag deploy`: note what happened, as the owner of the state folder."""

from __future__ import annotations

import argparse
import json
import re
import sqlite3
import sys
import time

from webapp.alerts.changes import ChangeRefused
from webapp.alerts.commands.caller import EXIT_REFUSED, check_owner, in_seconds, name_of_caller
from webapp.annotations.model import NOTE, PLACE_MAX, TAG, TAGS_MAX, TEXT_MAX, Annotation
from webapp.annotations.store import keeping_of, open_annotations
from webapp.settings import AnnotationSettings


def add_annotate_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("text", type=_text)
    parser.add_argument("--tag", dest="tags", action="append", default=[], type=_tag, help="such as deploy")
    parser.add_argument("--place", default="", help="such as atlas or atlas/cern; without it all grids")
    parser.add_argument("--ago", dest="ago_s", type=in_seconds, default=0.0, metavar="TIME", help="5m")
    parser.add_argument(
        "--for", dest="for_s", type=in_seconds, default=0.0, metavar="TIME", help="it took 20m"
    )
    parser.add_argument("--by", default="", help="who you are, if not the user that is logged in")
    parser.add_argument("--json", action="store_true", help="for programs")


def run_annotate(options: argparse.Namespace, settings: AnnotationSettings) -> int:
    now = time.time()
    at = now - options.ago_s
    tags, by = tuple(options.tags[:TAGS_MAX]), name_of_caller(options.by)
    annotation = Annotation(at, at + options.for_s, NOTE, options.text, options.place[:PLACE_MAX], by, tags)
    try:
        check_owner(settings.state_dir)
        with open_annotations(settings.state_dir) as store:
            store.add([annotation], keeping_of(settings), now)
    except ChangeRefused as refused:
        print(refused, file=sys.stderr)
        return EXIT_REFUSED
    except (OSError, sqlite3.Error) as error:
        print(f"WEBAPP_STATE_DIR={settings.state_dir}: {error}", file=sys.stderr)
        return EXIT_REFUSED
    print(json.dumps({"at": at, "by": by}) if options.json else "noted")
    return 0


def _text(text: str) -> str:
    if not text.strip() or len(text) > TEXT_MAX or not _is_unicode(text):
        raise argparse.ArgumentTypeError(f"a text has 1 to {TEXT_MAX} characters of UTF-8")
    return text


def _is_unicode(text: str) -> bool:
    """Bytes of the command line that are no UTF-8 come as halves of characters, which no file can keep."""
    return text.encode("utf-8", "replace") == text.encode("utf-8", "surrogatepass")


def _tag(text: str) -> str:
    if not re.fullmatch(TAG, text):
        raise argparse.ArgumentTypeError("a tag has up to 40 of A-Z a-z 0-9 _ . : -")
    return text
