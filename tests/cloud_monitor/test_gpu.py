"""GPUs by the files of amdgpu, and by NVML: here a library compiled for the test, with NVML's own calls."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from cloud_monitor.system.gpu import GpuReader, GpuUse

NVML = """
#include <string.h>
int nvmlInit_v2(void) { return 0; }
int nvmlDeviceGetCount_v2(unsigned int *count) { *count = 3; return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned int index, void **device) {
    *device = (void *)(long)(index + 1); return index == 2 ? 15 : 0;   /* 15: the GPU is lost */
}
int nvmlDeviceGetMemoryInfo(void *device, unsigned long long *memory) {
    memory[0] = 1000; memory[1] = 750; memory[2] = 250; return 0;
}
int nvmlDeviceGetUtilizationRates(void *device, unsigned int *use) {
    use[0] = 80; use[1] = 5; return (long)device == 2 ? 3 : 0;         /* 3: a part of a GPU does not tell */
}
"""


def test_a_host_without_any_has_none(tmp_path: Path) -> None:
    assert GpuReader("libno-such-nvml.so", tmp_path).read() == ()
    assert GpuReader("libc.so.6", tmp_path).read() == (), "a library without the calls"


def test_cards_of_amdgpu_are_read_and_one_that_does_not_answer_is_left_out(tmp_path: Path) -> None:
    for card, busy in (("card0", "37\n"), ("card1", "busy\n")):
        device = tmp_path / "class/drm" / card / "device"
        device.mkdir(parents=True)
        (device / "gpu_busy_percent").write_text(busy)
        (device / "mem_info_vram_used").write_text("100\n")
        (device / "mem_info_vram_total").write_text("400\n")
    assert GpuReader("libno-such-nvml.so", tmp_path).read() == (GpuUse(37.0, 100, 400),)


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler (apt install gcc)")
def test_nvml_is_asked_by_its_own_structures(tmp_path: Path) -> None:
    source, library = tmp_path / "nvml.c", tmp_path / "libnvml-of-the-test.so"
    source.write_text(NVML)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source], check=True)
    assert GpuReader(str(library), tmp_path).read() == (GpuUse(80.0, 250, 1000), GpuUse(0.0, 250, 1000))
