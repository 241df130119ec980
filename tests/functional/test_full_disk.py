"""A disk that is full, at whatever moment, or read-only: one message, nothing unsaid, and the next run ends right."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.functional.disk import Disk, Disks, disks
from tests.functional.kit import Kit, Result
from tests.functional.operators import operator
from tests.functional.proxy import Proxy
from tests.functional.test_provision import REST, live_ids

ISSUE = ("issue-token", "--user", "alice")


@pytest.fixture
def small_disks() -> Iterator[Disks]:
    yield from disks()


@dataclass(frozen=True)
class Desk:
    """A venue, and an operator whose work directory is a small disk."""

    home: Kit
    kit: Kit
    venue: str
    proxy: Proxy
    disk: Disk

    def full_after(self, operation: str, *arguments: str) -> Result:
        """Run a command, and have the disk full once AWS has carried out an operation."""
        self.proxy.forget()
        self.proxy.after_write = lambda number, name: self.disk.fill() if name == operation else None
        result = self.kit(*arguments)
        self.proxy.after_write = lambda number, name: None
        assert operation in self.proxy.writes
        return result

    def ids(self) -> set[str]:
        """The external IDs that are in use; none of them is ever shown."""
        return live_ids(self.home, self.venue)

    def completes(self) -> None:
        """With room again, a run ends right, and issues a token."""
        self.disk.empty()
        result = self.kit.done("provision")
        assert result.out.startswith(f"{self.venue} : ok=9 ")
        assert result.out.endswith(f"{REST}\n")
        self.kit.done(*ISSUE)


@pytest.fixture
def desk(kit: Kit, venue: str, proxy: Proxy, small_disks: Disks, tmp_path: Path) -> Desk:
    return desk_for(venue, kit, proxy, small_disks, tmp_path)


def desk_for(venue: str, kit: Kit, proxy: Proxy, small_disks: Disks, tmp_path: Path) -> Desk:
    disk = small_disks.mount(tmp_path / "work")
    return Desk(kit, operator(kit, proxy, tmp_path / "operator", disk.folder, venue), venue, proxy, disk)


def is_refused(result: Result, saying: str) -> None:
    """One message, and nothing on standard output but the recap."""
    assert result.code == 2, result.err
    assert result.err.count("error: ") == 1
    assert saying in result.err
    assert "the work directory must be a writable folder with free space" in result.err
    assert "Credentials" not in result.out


@pytest.mark.soak
def test_a_disk_that_is_full_when_terraform_saves_its_state_costs_no_external_id(desk: Desk) -> None:
    desk.disk.fill()
    is_refused(desk.kit("provision"), "no space left on device")
    assert desk.proxy.writes == []

    desk.disk.empty()
    result = desk.full_after("CreateRole", "provision")
    assert result.code == 4
    assert result.err.count("error: ") == 1
    assert "no space left on device" in result.err
    assert "free some room on the disk of the work directory, and run the command again" in result.err
    assert "failed=1" in result.out
    ids = desk.ids()
    assert not any(each in result.out + result.err for each in ids)  # Terraform prints a state that it cannot save

    desk.completes()
    assert desk.ids() == ids


def test_no_token_is_issued_that_could_not_be_entered_into_the_ledger(
    kit: Kit, provisioned: tuple[Kit, str], proxy: Proxy, small_disks: Disks, tmp_path: Path
) -> None:
    desk = desk_for(provisioned[1], kit, proxy, small_disks, tmp_path)
    ledger = desk.disk.folder / "ledger.jsonl"
    desk.kit.done(*ISSUE)
    before = ledger.read_text()
    desk.disk.fill()
    desk.proxy.forget()
    is_refused(desk.kit(*ISSUE), "ledger.jsonl: no space left on device")
    assert desk.proxy.calls.count("AssumeRole") <= 1  # the operator's own
    assert ledger.read_text() == before
    desk.disk.empty()
    desk.kit.done(*ISSUE)
    desk.kit.done("ledger.verify")


def test_a_read_only_work_directory_is_told_before_anything_is_done(desk: Desk) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(desk.disk.folder)], check=True)
    for command in (("provision",), ISSUE, ("rotate-external-id",)):
        is_refused(desk.kit(*command), "read-only file system")
    assert desk.proxy.writes == []


@pytest.mark.soak
@pytest.mark.parametrize("operation", ["CreatePolicy", "PutParameter", "AttachRolePolicy"])
def test_whenever_the_disk_is_full_in_an_apply_the_next_run_completes(operation: str, desk: Desk) -> None:
    result = desk.full_after(operation, "provision")
    assert result.code == 4
    ids = desk.ids()
    desk.completes()
    assert ids <= desk.ids()


@pytest.mark.soak
def test_a_disk_that_is_full_in_a_rotation_is_told_with_how_things_stand(desk: Desk) -> None:
    desk.kit.done("provision")
    old = desk.ids()
    result = desk.full_after("PutParameter", "rotate-external-id")
    assert result.code == 4, result.err
    assert result.err.count("error: ") == 1
    assert "no space left on device; the rotation is left half done, and tokens can be issued as before" in result.err
    assert "which could not be recorded in the ledger" in result.err
    desk.disk.empty()
    desk.kit.done(*ISSUE)
    desk.kit.done("rotate-external-id", "--finish")
    assert not old & desk.ids()
    desk.completes()


@pytest.mark.soak
def test_a_rotation_that_cannot_be_entered_is_done_and_says_so(desk: Desk) -> None:
    desk.kit.done("provision")
    old = desk.ids()
    desk.proxy.before_call = after_the_last_write(desk)
    result = desk.kit("rotate-external-id")
    desk.proxy.before_call = lambda operation: None
    assert result.code == 6, result.err
    assert result.out == ""
    assert "error: the rotation is 'stable', which could not be recorded in the ledger" in result.err
    assert not old & desk.ids()
    desk.completes()


def after_the_last_write(desk: Desk) -> Callable[[str], None]:
    """Fill the disk when the old ID is taken out of use: at the proofs, when Terraform has saved its state."""

    def look(operation: str) -> None:
        if desk.proxy.writes.count("UpdateAssumeRolePolicy") > 1 and operation == "AssumeRole":
            desk.disk.fill()

    return look


@pytest.mark.soak
def test_facts_that_cannot_be_written_fail_the_venue_and_the_recap_counts_what_was_done(
    desk: Desk, small_disks: Disks
) -> None:
    small_disks.mount(desk.disk.folder / "facts", size="4k").fill()
    result = desk.kit("provision")
    is_refused(result, f"facts/{desk.venue}.json: no space left on device")
    assert "changed=6" in result.out
    ids = desk.ids()
    (desk.disk.folder / "facts" / "filler").unlink()
    desk.completes()
    assert desk.ids() == ids


@pytest.mark.soak
@pytest.mark.parametrize("length", [0, 1, 300, -2])
def test_a_state_that_was_cut_off_anywhere_is_set_aside(length: int, desk: Desk) -> None:
    desk.kit.done("provision")
    ids = desk.ids()
    state = desk.disk.folder / "stacks" / desk.venue / "terraform.tfstate"
    state.write_bytes(state.read_bytes()[:length])
    desk.completes()
    assert desk.ids() == ids
    assert json.loads(state.read_text())["resources"]
