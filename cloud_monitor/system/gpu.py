"""GPUs: how busy they are and what of their memory is in use, by NVIDIA's management library (NVML) or by
the files of the kernel's amdgpu driver. Neither is needed: a host without them has no GPUs.

NVML's calls and structures: https://docs.nvidia.com/deploy/nvml-api/
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

NVML = "libnvidia-ml.so.1"


@dataclass(frozen=True, slots=True)
class GpuUse:
    busy_pct: float
    memory_used_bytes: int
    memory_total_bytes: int


class _NvmlUtilization(ctypes.Structure):
    _fields_ = (("gpu", ctypes.c_uint), ("memory", ctypes.c_uint))


class _NvmlMemory(ctypes.Structure):
    _fields_ = (("total", ctypes.c_ulonglong), ("free", ctypes.c_ulonglong), ("used", ctypes.c_ulonglong))


class GpuReader:
    """Opened once; each `read` asks the driver anew."""

    def __init__(self, library: str = NVML, sys: Path = Path("/sys")) -> None:
        self._cards = sorted((sys / "class/drm").glob("card*/device/gpu_busy_percent"))
        self._nvml = _open_nvml(library)

    def read(self) -> tuple[GpuUse, ...]:
        """Those that answer."""
        return (*_read_nvidia(self._nvml), *_read_amd(self._cards))


def _open_nvml(library: str) -> ctypes.CDLL | None:
    try:
        nvml = ctypes.CDLL(library)
        return nvml if nvml.nvmlInit_v2() == 0 else None
    except (OSError, AttributeError):
        return None


def _read_nvidia(nvml: ctypes.CDLL | None) -> list[GpuUse]:
    count = ctypes.c_uint()
    if nvml is None or nvml.nvmlDeviceGetCount_v2(ctypes.byref(count)) != 0:
        return []
    found = []
    for index in range(count.value):
        device, use, memory = ctypes.c_void_p(), _NvmlUtilization(), _NvmlMemory()
        if nvml.nvmlDeviceGetHandleByIndex_v2(ctypes.c_uint(index), ctypes.byref(device)) != 0:
            continue
        if nvml.nvmlDeviceGetMemoryInfo(device, ctypes.byref(memory)) != 0:
            continue
        # a GPU that is cut into parts (MIG) does not tell how busy it is
        is_told = nvml.nvmlDeviceGetUtilizationRates(device, ctypes.byref(use)) == 0
        found.append(GpuUse(float(use.gpu) if is_told else 0.0, int(memory.used), int(memory.total)))
    return found


def _read_amd(cards: Sequence[Path]) -> list[GpuUse]:
    found = []
    for busy in cards:
        try:
            used, total = (
                int((busy.parent / name).read_text())
                for name in ("mem_info_vram_used", "mem_info_vram_total")
            )
            found.append(GpuUse(float(busy.read_text()), used, total))
        except (OSError, ValueError):
            continue
    return found
