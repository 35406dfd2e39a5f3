"""What a supervisor tells of its host beside what the gate looks at: storage, network, pages, GPUs."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from cloud_monitor.system.gpu import GpuReader
from cloud_monitor.system.memory_pages import read_memory_pages
from cloud_monitor.system.usage import read_disk
from worker.supervisor.averages import Averages


class HostMeter:
    """`folder`: on the file system whose use is told, that of the workers' temporary files."""

    def __init__(self, folder: Path, gpus: GpuReader | None = None, proc: Path = Path("/proc")) -> None:
        self._folder = folder
        self._gpus = gpus or GpuReader()
        self._proc = proc

    def read(self, averages: Averages) -> dict[str, float]:
        """By name with unit; what is not known is left out."""
        figures: dict[str, float] = {}
        rates = averages.rates
        if rates is not None:
            figures |= {"net_in": rates.net_in_bytes_s, "net_out": rates.net_out_bytes_s}
        with suppress(OSError):  # the gate says what is wrong with it
            figures["storage_pct"] = read_disk(self._folder).used_pct
        pages = read_memory_pages(self._proc)
        if pages is not None:
            figures |= {
                "pages_total": pages.total,
                "pages_free": pages.free,
                "fragmentation_pct": pages.fragmentation_pct,
            }
        gpus = self._gpus.read()
        if gpus:
            total_bytes = sum(gpu.memory_total_bytes for gpu in gpus)
            figures["gpus"] = len(gpus)
            figures["gpu_pct"] = sum(gpu.busy_pct for gpu in gpus) / len(gpus)
            figures["gpu_memory_pct"] = 100 * sum(gpu.memory_used_bytes for gpu in gpus) / max(1, total_bytes)
        return figures
