"""What can go wrong and was foreseen: commands end with the message alone, without a traceback."""

import errno

OF_PROCESS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM})
"""Of an OSError, when a process or its host lacks what any file would need: no word about this one."""


class WorkerError(Exception):
    """The message names the thing and what to do."""


class HostFault(WorkerError):
    """What this host cannot do now, and another can, or this one later."""
