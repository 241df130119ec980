"""Work side by side, and Ctrl-C for all of it."""

from __future__ import annotations

import os
import signal
import threading
from functools import partial
from pathlib import Path

import pytest

from venue_access.errors import UsageError
from venue_access.provisioning import forks as module
from venue_access.provisioning.forks import forks, side_by_side
from venue_access.provisioning.process import ProcessInterrupted, pause


@pytest.mark.parametrize("given", ["", "0", "-1", "two", "1.5", "65", "²"])
def test_what_is_no_number_of_stacks_is_refused(given: str) -> None:
    with pytest.raises(UsageError, match="a number from 1 to 64"):
        forks(given)


@pytest.mark.parametrize(
    ("available", "cores", "fit"), [("8000000", 4, 4), ("2000000", 4, 2), ("900", 4, 1), ("8000000", 1, 1)]
)
def test_as_many_run_as_there_are_cores_and_memory_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, available: str, cores: int, fit: int
) -> None:
    memory = tmp_path / "meminfo"
    memory.write_text(f"MemTotal: 99999999 kB\nMemAvailable: {available} kB\n", encoding="ascii")
    monkeypatch.setattr(module, "_MEMORY", memory)
    monkeypatch.setattr(module, "_cores", lambda: cores)
    assert (forks(None), forks("7")) == (fit, 7)


def test_no_more_run_at_once_than_may_and_all_are_done() -> None:
    together, most, done = threading.Semaphore(2), [], []
    both = threading.Barrier(2, timeout=10)

    def job(number: int) -> None:
        most.append(together.acquire(blocking=False))
        both.wait()  # the first two, then the last two: a third at once would find no room
        done.append(number)
        together.release()
        both.wait()

    side_by_side([partial(job, number) for number in range(4)], 2)
    assert (sorted(done), most) == ([0, 1, 2, 3], [True] * 4)


def test_a_bug_in_one_is_raised_when_the_others_have_ended() -> None:
    done = []

    def bug() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        side_by_side([bug, lambda: done.append(1)], 1)
    assert done == [1]


def test_ctrl_c_ends_every_pause_and_the_next_run_is_as_if_nothing_had_been() -> None:
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


def test_the_third_ctrl_c_waits_for_nothing() -> None:
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
