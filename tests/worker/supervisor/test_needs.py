"""What a worker is reckoned to need: setting, then what the queue learned, then the engine; measured at
last.
"""

from __future__ import annotations

from worker.gate import Need
from worker.jobqueue import Learned
from worker.needs import ESTIMATES, estimate, learn
from worker.vitals import Vitals

MB = 1_000_000


def test_first_guess_is_the_engines() -> None:
    assert estimate("upstream", None, 1, None).private_bytes == 5000 * MB
    assert estimate("onnx", None, 2, None).cpus == 2


def test_what_the_queue_learned_replaces_it() -> None:
    need = estimate("upstream", None, 1, Learned(2000 * MB, 1.2))
    assert (need.private_bytes, need.cpus) == (2200 * MB, 1.2)


def test_shared_weights_are_not_counted_with_each_worker() -> None:
    need = estimate("onnx", None, 1, Learned(535 * MB, 1))
    assert need == Need(220 * MB, 335 * MB, 1)


def test_the_setting_wins() -> None:
    assert estimate("upstream", 3000, 1, Learned(2000 * MB, 1)).private_bytes == 3000 * MB


def test_a_worker_that_did_a_chunk_teaches() -> None:
    fresh = Vitals(peak_private_bytes=9000 * MB)
    worked = Vitals(peak_private_bytes=1000 * MB, shared_bytes=300 * MB, chunks_done=1)
    assert learn(ESTIMATES["upstream"], [fresh]) == ESTIMATES["upstream"]
    assert learn(ESTIMATES["upstream"], [fresh, worked]) == Need(1100 * MB, 300 * MB, 1.3)
