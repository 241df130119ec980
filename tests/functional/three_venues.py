"""An inventory of three venues of two projects, and what tests of the command surface assert."""

from __future__ import annotations

from pathlib import Path

from tests.functional.kit import OTHER_ACCOUNT, Kit, Result, emulated


def three_venues(folder: Path) -> Kit:
    """Return the commands with an inventory of three venues, and a work directory that does not exist yet."""
    kit = Kit(folder, folder / "work")
    users = {"alice": {"email": "alice@example.org"}}
    kit.write_inventory(
        {
            "unity-dev": emulated("unity-dev", users=users),
            "unity-test": emulated("unity-test"),
            "sounder-dev": emulated("sounder-dev", account_id=OTHER_ACCOUNT),
        }
    )
    return kit


def assert_one_error(result: Result, code: int, *, saying: str) -> None:
    """Assert the contract of an expected failure: its exit code, one short message, and no result."""
    assert result.code == code, result.err
    assert result.out == ""
    errors = [line for line in result.err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, result.err
    assert saying in result.err
    assert "Traceback" not in result.err
    assert len(result.err) < 1000


def is_untouched(kit: Kit) -> bool:
    """Return whether no command has made a work directory."""
    return not kit.work_directory.exists()
