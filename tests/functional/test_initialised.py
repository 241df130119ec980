"""``terraform init`` is run where it would make something else, and nowhere else."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.functional.kit import CHECKOUT, Kit, emulated, new_venue
from venue_access.app import App as OurKit
from venue_access.config import Settings
from venue_access.provisioning.root_module import RootModule
from venue_access.provisioning.stack import group_into_stacks


class Stacks:
    """Two stacks of one venue each, and a Terraform that notes what it is asked."""

    def __init__(self, kit: Kit) -> None:
        self._asked = kit.folder / "asked"
        program = kit.folder / "terraform"
        program.write_text(f'#!/bin/sh\necho "$1" >>\'{self._asked}\'\nexec {shutil.which("terraform")} "$@"\n')
        program.chmod(0o755)
        names = new_venue(), new_venue()
        kit.write_inventory({name: emulated(name) for name in names})
        settings = Settings(kit.inventory, kit.work_directory, CHECKOUT, terraform=str(program))
        ours = OurKit.open(settings)
        stacks = group_into_stacks(ours.venues.values())
        self.roots = [RootModule(settings, stack, ours.aws(stack.venues[0])) for stack in stacks]

    def asked_to_write(self, root: RootModule) -> list[str]:
        """What Terraform was asked for as the root was written."""
        self._asked.write_text("")
        root.write_for(buckets={}, external_ids={})
        return self._asked.read_text().split()


@pytest.fixture
def stacks(kit: Kit, tmp_path: Path, work_directory: Path) -> Stacks:
    own = tmp_path / "work"  # no stack of another test's is beside these
    own.mkdir(mode=0o700)
    (own / "local-aws").symlink_to(work_directory / "local-aws")
    return Stacks(Kit(tmp_path, own))


def test_equal_stacks_are_initialised_once(stacks: Stacks) -> None:
    first, second = stacks.roots
    assert stacks.asked_to_write(first) == ["init"]
    assert stacks.asked_to_write(first) == []
    assert stacks.asked_to_write(second) == []
    assert second.terraform().state() == {}  # what it took over is enough for Terraform


def lose_the_provider(made: Path) -> None:
    (link,) = (each for each in made.rglob("*") if each.is_symlink())
    link.unlink()
    link.symlink_to("/a/mirror/that/was/moved")


def empty_the_provider(made: Path) -> None:
    (link,) = (each for each in made.rglob("*") if each.is_symlink())
    link.unlink()
    link.mkdir()


LOST: dict[str, Callable[[Path], object]] = {
    "the provider": lose_the_provider,
    "what is in the provider": empty_the_provider,
    "the modules": lambda made: shutil.rmtree(made / "modules"),
    "the text of the modules": lambda made: (made / "modules" / "modules.json").write_text(""),
    "the backend": lambda made: (made / "terraform.tfstate").unlink(),
    "the text of the backend": lambda made: (made / "terraform.tfstate").write_text("{"),
    "the stamp": lambda made: (made.parent / ".initialised").write_bytes(b"\xff\x00"),
}


QUICK = ("the provider", "the text of the backend")


@pytest.mark.parametrize(
    "lost", [each if each in QUICK else pytest.param(each, marks=pytest.mark.soak) for each in LOST]
)
def test_lost_initialisation_is_repeated(stacks: Stacks, lost: str) -> None:
    first, second = stacks.roots
    stacks.asked_to_write(first)
    LOST[lost](first.folder / ".terraform")
    assert stacks.asked_to_write(second) == ["init"]  # it is not taken over
    assert stacks.asked_to_write(first) == ["init"]
    assert first.terraform().state() == {}
