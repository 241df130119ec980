"""Hundreds of inventories that are broken or meant to do harm: each is read, or refused with one short message.

VENUE_ACCESS_SOAK=1 tries thousands.
"""

from __future__ import annotations

import json
import os
import random
import resource
import shutil
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests import hostile
from venue_access.errors import VenueAccessError
from venue_access.inventory.exports import graph, to_list
from venue_access.inventory.groups import Inventory
from venue_access.inventory.loader import load_inventory
from venue_access.inventory.venues import build_venues

SOAK = bool(os.environ.get("VENUE_ACCESS_SOAK"))
LONGEST = 15.0
"""Seconds of CPU time for one inventory: the slowest takes 3 on a busy machine, one in quadratic time takes 40."""
MOST_MEMORY = 300
"""MiB that all of them together may add to the process."""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for inventories, with a file beside it that none of them may show or change; one stands in another."""
    (tmp_path / "outside").write_text(f"{hostile.CANARY}\n")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path


def read(folder: Path) -> None:
    """What the commands do with an inventory before they do anything else."""
    inventory = load_inventory(folder)
    with suppress(VenueAccessError):
        shown(inventory)
    build_venues(inventory)


def shown(inventory: Inventory) -> str:
    return graph(inventory) + json.dumps(to_list(inventory))


def faults(folder: Path) -> Iterator[str]:
    """What is wrong with how an inventory is taken."""
    began = time.process_time()
    try:
        read(folder)
    except VenueAccessError as error:
        yield from faults_of(str(error), error.exit_code, folder)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is a traceback
        yield f"{type(error).__name__}: {error}"
    if time.process_time() - began > LONGEST:
        yield f"took {time.process_time() - began:.1f} s"


def faults_of(message: str, code: int, folder: Path) -> Iterator[str]:
    lines = message.split("\n")
    if code != 2:
        yield f"exit code {code}"
    if len(lines) > 40 or max(map(len, lines)) > 1000:
        yield f"no short message: {message[:100]}"
    if str(folder) not in message:
        yield f"names no file: {message[:100]}"
    if hostile.CANARY in message or "root:x:" in message:
        yield "shows what a file holds"
    if not all(line.isprintable() for line in lines):
        yield f"holds orders to the terminal: {message[:100]!r}"


def files_of(place: Path) -> dict[str, bytes]:
    """The files of a folder but for the inventory in it."""
    found = (path for path in place.rglob("*") if "inventory" not in path.relative_to(place).parts[:1])
    return {str(path): path.read_bytes() if path.is_file() else b"" for path in found}


def check(cases: Iterable[tuple[str, hostile.Write]], place: Path) -> int:
    """See that every inventory is taken as it should be; how many there were."""
    before, memory, wrong, count = files_of(place), used_memory(), {}, 0
    for name, write in cases:
        folder = place / "inventory"
        folder.mkdir()
        write(folder)
        found = list(faults(folder))
        shutil.rmtree(folder)
        count += 1
        if found:
            wrong[name] = found
    assert wrong == {}
    assert files_of(place) == before
    assert used_memory() - memory < MOST_MEMORY
    return count


def used_memory() -> int:
    """MiB that this process ever used at once."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // (1024 * 1024 if sys.platform == "darwin" else 1024)


def test_hostile_documents_are_harmless(place: Path) -> None:
    assert check(hostile.of_documents(large_ones_everywhere=SOAK), place) > 200


def test_hostile_names_are_harmless(place: Path) -> None:
    assert check(hostile.of_names(), place) > 400


def test_special_files_are_harmless(place: Path) -> None:
    assert check(hostile.of_files(), place) > 50


def test_hostile_values_are_harmless(place: Path) -> None:
    cases = list(hostile.of_values())
    assert check(cases if SOAK else random.Random(2).sample(cases, 600), place) >= 600


@pytest.mark.parametrize("seed", range(20 if SOAK else 1))
def test_corrupted_inventories_are_harmless(seed: int, place: Path) -> None:
    assert check(hostile.mutations(300, seed), place) == 300


@pytest.mark.skipif(sys.platform != "linux", reason="changes the user of a thread, as Linux can")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
@pytest.mark.parametrize("unreadable", ["hosts.yml", "group_vars", "group_vars/all.yml", "host_vars/unity-dev", "."])
@pytest.mark.parametrize("mode", [0o000, 0o444])
def test_unreadable_file_is_refused(unreadable: str, mode: int, place: Path) -> None:
    folder = place / "inventory"
    good = hostile.as_json({"unity-dev": hostile.VENUE})
    hostile.write(folder, {"hosts.yml": good, "group_vars/all.yml": "a: 1", "host_vars/unity-dev/x/y.yml": "a: 1"})
    for parent in [place, *place.parents[:2]]:
        parent.chmod(0o755)
    (folder / unreadable).chmod(mode)
    os.seteuid(65_534)
    try:
        found = list(faults(folder))
    finally:
        os.seteuid(0)
    assert found == []
