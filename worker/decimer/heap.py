"""Hand freed memory back to the system."""

import ctypes


def give_back_memory() -> None:
    """Ask glibc to return its free pages; elsewhere do nothing.

    The encoder's buffers change in size with every drawing, and glibc would keep some 50 MB of their gaps.
    """
    if _trim is not None:
        _trim(0)


_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
