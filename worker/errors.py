"""What can go wrong and was foreseen: commands end with the message alone, without a traceback."""


class WorkerError(Exception):
    """The message names the thing and what to do."""


class HostFault(WorkerError):
    """What this host cannot do now, and another can, or this one later."""
