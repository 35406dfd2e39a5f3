"""carbon-cache in the foreground, as Carbon's own program starts it, but writing what it holds when it ends.

Carbon 1.1.10 leaves its writer's loop on SIGTERM wherever that stands, and forgets what came in since the
writer last looked: up to a second of points whose senders saw them read.

    python carbon_cache.py CONFIG PIDFILE
"""

import builtins
import sys

from twisted.internet import reactor
from twisted.scripts.twistd import ServerOptions, runApp


def write_what_is_held():
    # The writer reads the configuration as it is imported, and twistd's plugin has loaded that long since.
    from carbon.writer import writeCachedDataPoints

    writeCachedDataPoints()


# After the shutdown: the writer's thread has ended, and nothing comes in any more.
reactor.addSystemEventTrigger("after", "shutdown", write_what_is_held)

config, pidfile = sys.argv[1:]
builtins.program, builtins.instance = "carbon-cache", "a"  # where Carbon's modules look for both
options = ServerOptions()
twistd = ["--no_save", "--nodaemon", "--pidfile", pidfile]
options.parseOptions([*twistd, "carbon-cache", "--config", config, "--instance", "a", "start"])
runApp(options)
