"""The fast mode: where it is possible, and what it changes."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class FastSupport:
    """Whether this machine can run the fast mode; if not, `why` says what it lacks."""

    supported: bool
    why: str = ""


def fast_support(cpuinfo: Path = Path("/proc/cpuinfo")) -> FastSupport:
    """The half-precision encoder needs a CPU that multiplies half-precision matrices, and OpenVINO."""
    try:
        lines = cpuinfo.read_text().splitlines()
    except OSError:
        return FastSupport(False, f"{cpuinfo} cannot be read")
    flags = next((line.split(":")[1].split() for line in lines if line.startswith("flags")), [])
    if "amx_fp16" not in flags:
        return FastSupport(False, "this CPU has no AMX-FP16 instructions")
    return FastSupport(True)
