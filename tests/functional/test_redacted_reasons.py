"""What somebody writes in ``--reason`` reaches the ledger without a credential or external ID of the run."""

from __future__ import annotations

from pathlib import Path

from tests.functional.issuing import iam_user, stored_id
from tests.functional.kit import ACCOUNT, Kit
from tests.functional.ledgers import alone, lines
from venue_access.inventory.model import emulator_operator_arn

OPERATOR = emulator_operator_arn(ACCOUNT)


def test_stored_id_and_credentials_are_redacted(provisioned: tuple[Kit, str], tmp_path: Path) -> None:
    shared, name = provisioned
    kit = alone(provisioned, tmp_path)
    held = [kit.environment["AWS_SECRET_ACCESS_KEY"], kit.environment["AWS_SESSION_TOKEN"], stored_id(shared, name)]
    for number, value in enumerate(held):
        kit.done("issue-token", "--user", "alice", "--reason", f"case {number}: {value[:980]}")
    kit.done("revoke-token", "--user", "alice", "--reason", f"leaked: {held[2]}, {held[0]}")
    # Revocations that other tests left on the shared role are recorded beside this one.
    revocation = next(
        line for line in lines(kit) if line["kind"] == "revocation" and line["reason"].startswith("leaked")
    )
    assert revocation["reason"] == "leaked: ****, ****"
    kit.done("revoke-token", "--undo", revocation["policy"], "--reason", f"found again: {held[2].upper()}")
    assert [line["reason"] for line in lines(kit) if line["kind"] == "issue"] == [
        f"case {each}: ****" for each in "012"
    ]
    assert lines(kit)[-1]["reason"] == "found again: ****"


def test_source_credentials_are_redacted(provisioned: tuple[Kit, str], tmp_path: Path) -> None:
    kit = alone(provisioned, tmp_path)
    user = iam_user(provisioned[0].root(), "reasons", allow={"sts:AssumeRole": OPERATOR})
    kit.environment.pop("AWS_SESSION_TOKEN")
    kit.environment |= user
    kit.inventory.write_text(
        kit.inventory.read_text().replace('"project"', f'"operator_role_arn": "{OPERATOR}", "project"')
    )
    kit.done("issue-token", "--user", "alice", "--reason", f"my key is {user['AWS_SECRET_ACCESS_KEY']}")
    assert lines(kit)[-1]["reason"] == "my key is ****"


def test_invalid_reason_is_refused_before_any_call(provisioned: tuple[Kit, str], tmp_path: Path) -> None:
    kit = alone(provisioned, tmp_path)
    for command in (("issue-token", "--user", "alice"), ("revoke-token", "--all"), ("console-url",)):
        for reason in ("x" * 1_001, "two\nlines"):
            result = kit(*command, "--reason", reason)
            assert (result.code, result.out) == (2, "")
            assert result.err.startswith(("error: --reason has ", "error: --reason contains "))
            assert reason not in result.err
    assert not (kit.work_directory / "ledger.jsonl").exists()
