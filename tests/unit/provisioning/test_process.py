"""Stacks run side by side, and Ctrl-C reaches all of them."""

from __future__ import annotations

import os
import signal
import threading
from functools import partial
from pathlib import Path

import pytest

from venue_access.errors import UsageError
from venue_access.provisioning import process
from venue_access.provisioning.process import ProcessInterrupted, forks, pause, side_by_side


@pytest.mark.parametrize("given", ["", "0", "-1", "two", "1.5", "65", "²"])
def test_forks_takes_a_number_from_1_to_64(given: str) -> None:
    with pytest.raises(UsageError, match="a number from 1 to 64"):
        forks(given)


@pytest.mark.parametrize(
    ("available", "cores", "fit"), [("8000000", 4, 4), ("2000000", 4, 2), ("900", 4, 1), ("8000000", 1, 1)]
)
def test_forks_default_fits_cores_and_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, available: str, cores: int, fit: int
) -> None:
    memory = tmp_path / "meminfo"
    memory.write_text(f"MemTotal: 99999999 kB\nMemAvailable: {available} kB\n", encoding="ascii")
    monkeypatch.setattr(process, "_MEMORY", memory)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: range(cores), raising=False)
    assert (forks(None), forks("7")) == (fit, 7)


def test_jobs_run_at_most_forks_at_once() -> None:
    together, most, done = threading.Semaphore(2), [], []
    both = threading.Barrier(2, timeout=10)

    def job(number: int) -> None:
        most.append(together.acquire(blocking=False))
        both.wait()  # the first two, then the last two: a third at once would fail to acquire
        done.append(number)
        together.release()
        both.wait()

    side_by_side([partial(job, number) for number in range(4)], 2)
    assert (sorted(done), most) == ([0, 1, 2, 3], [True] * 4)


def test_exception_of_a_job_is_raised_after_the_others_end() -> None:
    done = []

    def bug() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        side_by_side([bug, lambda: done.append(1)], 1)
    assert done == [1]


def test_ctrl_c_ends_every_pause_and_is_reset_afterwards() -> None:
    ended = []
    begun = threading.Barrier(3, timeout=10)

    def wait() -> None:
        begun.wait()
        with pytest.raises(ProcessInterrupted):
            pause(60)
        with pytest.raises(ProcessInterrupted):
            pause(0)
        ended.append(1)

    def press() -> None:
        begun.wait()
        os.kill(os.getpid(), signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    side_by_side([wait, wait, press], 3)
    assert ended == [1, 1]
    assert signal.getsignal(signal.SIGINT) is before
    pause(0)


def test_third_ctrl_c_does_not_wait() -> None:
    ended = threading.Event()

    def press() -> None:
        for _ in range(200):  # presses at one moment are one
            if ended.wait(0.05):
                break
            os.kill(os.getpid(), signal.SIGINT)

    def hang() -> None:
        ended.wait(10)

    with pytest.raises(KeyboardInterrupt):
        side_by_side([press, hang], 2)
    assert not ended.is_set()
    ended.set()
