"""Commands given an inventory that is broken or meant to do harm say so and do nothing else."""

from __future__ import annotations

import random
from itertools import cycle
from pathlib import Path

import pytest

from tests import hostile
from tests.functional.kit import Kit, Result

COMMANDS = (
    ("inventory.list",),
    ("provision", "--check"),
    ("issue-token", "--user", "alice"),
    ("status",),
    ("inventory.graph",),
    ("inventory.names", "--users"),
    ("provision", "--limit", "all"),
    ("inventory.provisioned",),
)
HOSTILE = hostile.everything()
TELLING = (
    "unsafe laughs, hosts", "many items, hosts", "a python object, hosts", "an escape sequence in a slip, hosts",
    "a JSON surrogate, hosts", "noise, group", "UTF-16, host", "diamonds, hosts", "a link to passwd",
    "links to the folder itself", "a pipe as group_vars/all.yml", "host 12", "stack 11", "aws_endpoint_url 6",
)  # fmt: skip
"""The cases of ``hostile.everything()`` that the commands meet in the quick suite."""


def cases() -> list[object]:
    """Each case with one of the commands: the telling ones, and for the soak a part of the others."""
    others = random.Random(3).sample(sorted(HOSTILE.keys() - set(TELLING)), 250)
    marked = [(name, ()) for name in TELLING] + [(name, (pytest.mark.soak,)) for name in others]
    return [
        pytest.param(name, command, marks=marks)
        for (name, marks), command in zip(marked, cycle(COMMANDS), strict=False)
    ]


@pytest.fixture
def here(tmp_path: Path, work_directory: Path) -> Kit:
    """Commands run in a folder of their own, with the inventory beside it and a file that it may not show."""
    (tmp_path / "outside").write_text(f"{hostile.CANARY}\n")
    for name in ("here", "inventory"):
        (tmp_path / name).mkdir()
    kit = Kit(tmp_path / "here", work_directory)
    kit.environment["INVOKE_INVENTORY"] = str(tmp_path / "inventory")
    return kit


def tree(folder: Path) -> set[str]:
    """The files of a folder, but for the inventory in it."""
    return {str(path) for path in folder.rglob("*") if path.relative_to(folder).parts[0] != "inventory"}


def check(result: Result, kit: Kit) -> None:
    assert result.code in (0, 2), result
    assert "Traceback" not in result.err
    assert not {hostile.CANARY, "root:x:"} & {*result.err.split(), *result.out.split()}
    assert tree(kit.folder.parent) == {str(kit.folder), str(kit.folder.parent / "outside")}
    if result.code == 2:
        assert result.out == ""
        assert result.err.count("error: ") == 1
        assert len(result.err) < 20_000
        assert str(kit.folder.parent / "inventory") in result.err or "unity-" in result.err


@pytest.mark.parametrize(("name", "command"), cases())
def test_hostile_inventory_is_refused_and_changes_nothing(name: str, command: tuple[str, ...], here: Kit) -> None:
    HOSTILE[name](here.folder.parent / "inventory")
    check(here(*command, timeout=60), here)
