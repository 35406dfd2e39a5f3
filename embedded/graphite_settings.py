"""Settings of the embedded graphite-web (GRAPHITE_SETTINGS_MODULE); folders and ports by environment."""

# mypy: ignore-errors
import configparser
import inspect
import logging
import os
import sys
import types

STORAGE_DIR = os.environ["GRAPHITE_STORAGE_DIR"]
CONF_DIR = os.environ["GRAPHITE_CONF_DIR"]
LOG_DIR = STORAGE_DIR + "/log/webapp"
WHISPER_DIR = STORAGE_DIR + "/whisper"
CARBONLINK_HOSTS = ["127.0.0.1:" + os.environ["GRAPHITE_QUERY_PORT"]]
# It listens on loopback alone and keeps no sessions that matter; the key is there because Django wants one.
SECRET_KEY = "cloud-monitor-embedded"
ALLOWED_HOSTS = ["127.0.0.1", "localhost", "[::1]"]
TIME_ZONE = "UTC"
# The defaults (3 s and 6 s) answer 500 where a grid has some ten thousand series.
FIND_TIMEOUT = 60.0
FETCH_TIMEOUT = 120.0

LOG_INFO_PERFORMANCE = False
# A line or five for each request would drown the other programs' output; exceptions are still told.
for _name in ("info", "cache", "rendering"):
    logging.getLogger(_name).propagate = False


def _getargspec(function):
    return inspect.getfullargspec(function)[:4]


def _formatargspec(args, varargs=None, varkw=None, defaults=()):
    required = len(args) - len(defaults or ())
    parts = [name if i < required else f"{name}={defaults[i - required]!r}" for i, name in enumerate(args)]
    parts += [f"*{varargs}"] if varargs else []
    parts += [f"**{varkw}"] if varkw else []
    return f"({', '.join(parts)})"


# graphite-web 1.1.10 lists its functions with two names that Python 3.11 dropped.
if not hasattr(inspect, "getargspec"):
    inspect.getargspec = _getargspec
    inspect.formatargspec = _formatargspec
if not hasattr(configparser, "SafeConfigParser"):
    configparser.SafeConfigParser = configparser.ConfigParser

# Its PNG graphs need the cairo library. We ask for JSON: a machine without libcairo2 lacks only the graphs.
try:
    import cairocffi  # noqa: F401
except OSError:
    sys.modules["cairocffi"] = types.ModuleType("cairocffi")
