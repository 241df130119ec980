"""A ledger that was changed by hand: what is reported, and by which command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.functional.kit import ACCOUNT, Kit
from tests.functional.ledgers import alone, for_eve, lines


class TestTampering:
    @pytest.fixture
    def kit(self, provisioned: tuple[Kit, str], tmp_path: Path) -> Kit:
        kit = alone(provisioned, tmp_path)
        kit.done("issue-token", "--user", "alice,bob,carol,dave")
        return kit

    def rewrite(self, kit: Kit, lines: list[str]) -> None:
        (kit.work_directory / "ledger.jsonl").write_text("".join(lines))

    def test_tampering_is_reported(self, kit: Kit) -> None:
        head = kit.done("ledger.head").out.strip()
        text = (kit.work_directory / "ledger.jsonl").read_text()
        assert kit.done("ledger.verify", "--head", head).out
        one, two, three, four = text.splitlines(keepends=True)
        for meddled, said in (
            ([one, for_eve(two), three, four], "line 2 (record 2: issue, "),
            ([one, two, four], "record 3 was removed, between line 2 (record 2:"),
            ([one, three, two, four], "line 3 (record 2:"),
            ([one, two, three], "the end was truncated"),
        ):
            self.rewrite(kit, meddled)
            result = kit("ledger.verify", "--head", head)
            assert (result.code, result.out) == (7, "")
            assert said in result.err
            assert f"by arn:aws:sts::{ACCOUNT}:assumed-role/venue-access-operator/anna" in result.err
        assert kit("ledger.verify", "--head", "no-hash").code == 2

    def test_damaged_end_is_reported_and_named_by_next_record(self, kit: Kit) -> None:
        *before, last = (kit.work_directory / "ledger.jsonl").read_text().splitlines(keepends=True)
        self.rewrite(kit, [*before, for_eve(last)])
        issued = kit.done("issue-token", "--user", "frank")
        assert "warning: the ledger " in issued.err
        assert "line 4 (record 4: issue, " in issued.err
        entry = lines(kit)[-1]
        assert (entry["recipient"], entry["skipped"], len(entry["found"])) == ("frank", 1, 1)
        assert "warning" not in kit.done("issue-token", "--user", "grace").err
        result = kit("ledger.verify")
        assert result.code == 7
        assert "line 4 (record 4: issue, " in result.err
        assert result.err.count("ledger.jsonl: line") == 1

    def test_commands_warn_of_damage_and_mark_tokens(self, kit: Kit) -> None:
        one, two, *rest = (kit.work_directory / "ledger.jsonl").read_text().splitlines(keepends=True)
        self.rewrite(kit, [one, for_eve(two), *rest])
        listed = kit.done("tokens", "--live")
        assert "warning: the ledger " in listed.err
        assert "is damaged: line 2 (record 2: issue, " in listed.err
        states = {row.split()[6]: row.split()[4] for row in listed.out.splitlines()[1:]}
        others = {"alice", "bob", "carol", "dave"} - {json.loads(two)["recipient"]}
        assert states == {"eve": "unverified", **dict.fromkeys(others, "live")}
        assert "is damaged: line 2" in kit.done("status").err
