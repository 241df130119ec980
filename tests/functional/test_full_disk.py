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
from tests.functional.provisioning import REST, live_ids
from tests.functional.proxy import Proxy

ISSUE = ("issue-token", "--user", "alice")


@pytest.fixture
def small_disks() -> Iterator[Disks]:
    yield from disks()


@dataclass(frozen=True)
class Issuer:
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
def issuer(kit: Kit, venue: str, proxy: Proxy, small_disks: Disks, tmp_path: Path) -> Issuer:
    return issuer_for(venue, kit, proxy, small_disks, tmp_path)


def issuer_for(venue: str, kit: Kit, proxy: Proxy, small_disks: Disks, tmp_path: Path) -> Issuer:
    disk = small_disks.mount(tmp_path / "work")
    return Issuer(kit, operator(kit, proxy, tmp_path / "operator", disk.folder, venue), venue, proxy, disk)


def is_refused(result: Result, saying: str) -> None:
    """One message, and nothing on standard output but the recap."""
    assert result.code == 2, result.err
    assert result.err.count("error: ") == 1
    assert saying in result.err
    assert "the work directory must be a writable folder with free space" in result.err
    assert "Credentials" not in result.out


@pytest.mark.soak
def test_full_disk_at_state_save_keeps_external_id(issuer: Issuer) -> None:
    issuer.disk.fill()
    is_refused(issuer.kit("provision"), "no space left on device")
    assert issuer.proxy.writes == []

    issuer.disk.empty()
    result = issuer.full_after("CreateRole", "provision")
    assert result.code == 4
    assert result.err.count("error: ") == 1
    assert "no space left on device" in result.err
    assert "free some room on the disk of the work directory, and run the command again" in result.err
    assert "failed=1" in result.out
    ids = issuer.ids()
    assert not any(each in result.out + result.err for each in ids)  # Terraform prints a state that it cannot save

    issuer.completes()
    assert issuer.ids() == ids


def test_unrecordable_token_is_not_issued(
    kit: Kit, provisioned: tuple[Kit, str], proxy: Proxy, small_disks: Disks, tmp_path: Path
) -> None:
    issuer = issuer_for(provisioned[1], kit, proxy, small_disks, tmp_path)
    ledger = issuer.disk.folder / "ledger.jsonl"
    issuer.kit.done(*ISSUE)
    before = ledger.read_text()
    issuer.disk.fill()
    issuer.proxy.forget()
    is_refused(issuer.kit(*ISSUE), "ledger.jsonl: no space left on device")
    assert issuer.proxy.calls.count("AssumeRole") <= 1  # the operator's own
    assert ledger.read_text() == before
    issuer.disk.empty()
    issuer.kit.done(*ISSUE)
    issuer.kit.done("ledger.verify")


def test_read_only_work_directory_is_refused_first(issuer: Issuer) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(issuer.disk.folder)], check=True)
    for command in (("provision",), ISSUE, ("rotate-external-id",)):
        is_refused(issuer.kit(*command), "read-only file system")
    assert issuer.proxy.writes == []


@pytest.mark.soak
@pytest.mark.parametrize("operation", ["CreatePolicy", "PutParameter", "AttachRolePolicy"])
def test_run_after_a_full_disk_completes_apply(operation: str, issuer: Issuer) -> None:
    result = issuer.full_after(operation, "provision")
    assert result.code == 4
    ids = issuer.ids()
    issuer.completes()
    assert ids <= issuer.ids()


@pytest.mark.soak
def test_full_disk_in_rotation_reports_rotation_state(issuer: Issuer) -> None:
    issuer.kit.done("provision")
    old = issuer.ids()
    result = issuer.full_after("PutParameter", "rotate-external-id")
    assert result.code == 4, result.err
    assert result.err.count("error: ") == 1
    assert "no space left on device; the rotation is incomplete, and tokens can be issued as before" in result.err
    assert "which could not be recorded in the ledger" in result.err
    issuer.disk.empty()
    issuer.kit.done(*ISSUE)
    issuer.kit.done("rotate-external-id", "--finish")
    assert not old & issuer.ids()
    issuer.completes()


@pytest.mark.soak
def test_unrecordable_rotation_completes_and_warns(issuer: Issuer) -> None:
    issuer.kit.done("provision")
    old = issuer.ids()
    issuer.proxy.before_call = after_the_last_write(issuer)
    result = issuer.kit("rotate-external-id")
    issuer.proxy.before_call = lambda operation: None
    assert result.code == 6, result.err
    assert result.out == ""
    assert "error: the rotation is 'stable', which could not be recorded in the ledger" in result.err
    assert not old & issuer.ids()
    issuer.completes()


def after_the_last_write(issuer: Issuer) -> Callable[[str], None]:
    """Fill the disk when the old ID is retired: at the verification, when Terraform has saved its state."""

    def look(operation: str) -> None:
        if issuer.proxy.writes.count("UpdateAssumeRolePolicy") > 1 and operation == "AssumeRole":
            issuer.disk.fill()

    return look


@pytest.mark.soak
def test_unwritable_facts_fail_venue_but_recap_counts(issuer: Issuer, small_disks: Disks) -> None:
    small_disks.mount(issuer.disk.folder / "facts", size="4k").fill()
    result = issuer.kit("provision")
    is_refused(result, f"facts/{issuer.venue}.json: no space left on device")
    assert "changed=6" in result.out
    ids = issuer.ids()
    (issuer.disk.folder / "facts" / "filler").unlink()
    issuer.completes()
    assert issuer.ids() == ids


@pytest.mark.soak
@pytest.mark.parametrize("length", [0, 1, 300, -2])
def test_truncated_state_is_set_aside(length: int, issuer: Issuer) -> None:
    issuer.kit.done("provision")
    ids = issuer.ids()
    state = issuer.disk.folder / "stacks" / issuer.venue / "terraform.tfstate"
    state.write_bytes(state.read_bytes()[:length])
    issuer.completes()
    assert issuer.ids() == ids
    assert json.loads(state.read_text())["resources"]
