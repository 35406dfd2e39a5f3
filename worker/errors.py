"""What can go wrong and was foreseen: commands end with the message alone, without a traceback."""

import errno


class WorkerError(Exception):
    """The message names the thing and what to do."""


class HostFault(WorkerError):
    """What this host cannot do now, and another can, or this one later."""


def is_of_process(error: BaseException) -> bool:
    """Whether a process or its host lacks what any work would need: descriptors or memory."""
    return isinstance(error, MemoryError) or getattr(error, "errno", None) in _OF_PROCESS


_OF_PROCESS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM})
