"""The sessions by which the kit proves something are in the ledger."""

from __future__ import annotations

import re
import signal
from pathlib import Path

from tests.functional.kit import Kit
from tests.functional.ledgers import alone, lines, through
from tests.functional.proxy import Proxy


class TestProofs:
    def test_each_run_is_one_proof_record(self, provisioned: tuple[Kit, str], tmp_path: Path) -> None:
        kit, name = alone(provisioned, tmp_path), provisioned[1]
        of_provision = [
            line for line in lines(provisioned[0]) if (line["venue"], line.get("command")) == (name, "provision")
        ]
        assert {line["kind"] for line in of_provision} == {"proof"}
        kit("verify")  # the venue has other principals than this inventory
        kit("verify")
        kit.done("revoke-token", "--user", "zoe")
        *verified, revocation, revoked = lines(kit)
        assert [line["command"] for line in [*verified, revoked]] == ["verify", "verify", "revoke-token"]
        assert revocation["kind"] == "revocation"
        proofs = [*of_provision, *verified, revoked]
        names = [each for line in proofs for each in set(line["proof_session_names"])]
        assert len(set(names)) == len(names) == len(proofs)
        assert all(re.fullmatch(r"[\w-]+-20\d{6}T\d{6}Z-[0-9a-f]{8}", each) for each in names)
        assert revoked["proof_session_names"][0].startswith("zoe-")
        for line in proofs:
            assert len(line["proof_access_key_ids"]) == len(line["proof_session_names"]) >= 1
            assert all(key.startswith("ASIA") for key in line["proof_access_key_ids"])
            assert line["operator"].startswith("arn:aws:sts::")
            assert line["expires"] > line["when"]

        assert kit.done("tokens").out == ""
        rows = kit.done("tokens", "--proofs").out
        assert rows.count("(proof: verify)") == 2
        assert set(names[1:]) <= set(rows.split())

    def test_interrupted_proof_is_recorded_or_warned_of(
        self, provisioned: tuple[Kit, str], proxy: Proxy, tmp_path: Path
    ) -> None:
        kit = through(proxy, alone(provisioned, tmp_path))
        with kit.start("verify") as process:
            # The first call with the token.
            proxy.before_call = lambda operation: process.send_signal(signal.SIGINT) if "Images" in operation else None
            process.communicate(timeout=120)
        assert process.returncode == 130
        proxy.before_call = lambda operation: None
        assert [line["command"] for line in lines(kit)] == ["verify"]

        ledger = kit.work_directory / "ledger.jsonl"
        ledger.unlink()
        ledger.mkdir()
        result = kit("verify")
        assert result.out
        assert "in the ledger: cannot write" in result.err
        assert "warning: " in result.err
