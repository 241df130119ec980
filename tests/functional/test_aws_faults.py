"""AWS that throttles, fails, is slow or breaks connections: transient faults are retried, lasting ones reported."""

from __future__ import annotations

import time
from collections.abc import Sequence

import pytest

from tests.functional.faults import PASSING, Fault, always, at_random, first
from tests.functional.faulty_venue import COMMANDS, VENUE, ends_right, run, through
from tests.functional.kit import Kit
from tests.functional.provisioning import REST
from tests.functional.proxy import Proxy
from tests.functional.trust import VenueTrust

TERRAFORMS = ("rotate-external-id", "provision")
DEADLINE = 75.0
"""Seconds after which a lasting fault is reported, on a busy machine."""


def quick(*chosen: tuple[str, Fault], without: Sequence[tuple[str, Fault]] = ()) -> pytest.MarkDecorator:
    """Of commands and faults; all but the ``chosen`` pairs are for the soak."""
    return pytest.mark.parametrize(
        ("command", "fault"),
        [
            pytest.param(
                *(command, fault),
                id=f"{command}-{fault}",
                marks=() if (command, fault) in chosen else pytest.mark.soak,
            )
            for command in COMMANDS
            for fault in PASSING
            if (command, fault) not in without
        ],
    )


class TestTransientFaults:
    # Terraform's provider gives up where an answer is cut off: see below.
    @quick(
        *(("issue-token", Fault.LOST), ("status", Fault.CUT_OFF)),
        without=[(command, Fault.CUT_OFF) for command in TERRAFORMS],
    )
    def test_call_that_fails_once_is_retried(
        self, faulty: VenueTrust, proxy: Proxy, command: str, fault: Fault
    ) -> None:
        proxy.fault_of = first(fault)
        result = run(faulty.kit, command)
        assert result.code == 0, result.err
        assert fault in dict(proxy.played).values()
        proxy.clear_faults()
        faulty.check_stable()

    def test_token_whose_response_was_lost_is_reissued_and_recorded_once(
        self, faulty: VenueTrust, proxy: Proxy
    ) -> None:
        ledger = faulty.kit.work_directory / "ledger.jsonl"
        before = ledger.read_text().count('"issue"') if ledger.exists() else 0
        proxy.fault_of = first(Fault.LOST, "AssumeRole")
        token = run(faulty.kit, "issue-token")
        faulty.kit.session(token.document()).call("s3", "list_objects_v2", Bucket=f"{VENUE}-data")
        assert proxy.calls.count("AssumeRole") == 3  # the operator's own, lost; again; the token's
        assert ledger.read_text().count('"issue"') == before + 1

    @pytest.mark.soak
    @pytest.mark.parametrize("fault", [fault for fault in PASSING if fault not in (Fault.LOST, Fault.CUT_OFF)], ids=str)
    def test_new_venue_is_provisioned_though_each_call_fails_once(
        self, kit: Kit, venue: str, proxy: Proxy, fault: Fault
    ) -> None:
        kit.write_inventory({venue: through(venue, proxy)})
        proxy.fault_of = first(fault)
        assert run(kit, "provision").out == f"{venue} : ok=9 changed=6 {REST}\n"
        proxy.clear_faults()
        VenueTrust(kit, venue).check_stable()

    @pytest.mark.soak
    @pytest.mark.parametrize("fault", [fault for fault in PASSING if fault is not Fault.CUT_OFF], ids=str)
    def test_venue_is_updated_though_each_call_fails_once(self, faulty: VenueTrust, proxy: Proxy, fault: Fault) -> None:
        faulty.kit.write_inventory({VENUE: through(VENUE, proxy, tags={"Fault": fault.name}, s3_allow_delete=True)})
        proxy.fault_of = first(fault)
        result = run(faulty.kit, "provision")
        assert result.code == 0, result.err
        proxy.clear_faults()
        faulty.check_stable()

    @pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(2, 8))])
    def test_calls_of_the_kit_survive_random_faults(self, faulty: VenueTrust, proxy: Proxy, seed: int) -> None:
        proxy.slowness = 1.0
        proxy.fault_of = at_random(seed, 0.1)
        for command in ("status", "issue-token", "revoke-token"):
            result = run(faulty.kit, command)
            assert result.code == 0, result.err
        assert proxy.played


class TestLastingFaults:
    @quick(("issue-token", Fault.INTERNAL_ERROR))
    def test_lasting_fault_is_one_message_within_a_minute_and_the_next_run_succeeds(
        self, faulty: VenueTrust, proxy: Proxy, command: str, fault: Fault
    ) -> None:
        proxy.slowness = 600.0
        proxy.fault_of = always(fault)
        began = time.monotonic()
        result = run(faulty.kit, command)
        assert time.monotonic() - began < DEADLINE
        assert result.code == 5
        assert {
            Fault.THROTTLED: "AWS is throttling sts:AssumeRole, also after retries\n  wait a minute",
            Fault.INTERNAL_ERROR: "AWS fails at sts:AssumeRole (InternalFailure: We encountered an internal error.",
            Fault.UNAVAILABLE: "AWS fails at sts:AssumeRole (503: Service Unavailable), also after retries",
            Fault.SLOW: "could not be reached for sts:AssumeRole (ReadTimeoutError)\n  check the network",
        }.get(
            fault, "could not be reached for sts:AssumeRole (ConnectionClosedError)\n  check the network"
        ) in result.err
        proxy.clear_faults()
        ends_right(faulty, command)

    @pytest.mark.soak
    @pytest.mark.parametrize("fault", [Fault.INTERNAL_ERROR, Fault.LOST], ids=str)
    @pytest.mark.parametrize(
        ("command", "operation", "said"),
        [
            ("rotate-external-id", "PutParameter", "tokens can be issued as before, and the next run goes on"),
            (
                "rotate-external-id",
                "UpdateAssumeRolePolicy",
                "tokens can be issued as before, and the next run goes on",
            ),
            ("revoke-token", "PutRolePolicy", "whether the revocation is in force is not known"),
        ],
    )
    def test_failed_write_names_the_state_it_left(
        self, faulty: VenueTrust, proxy: Proxy, command: str, operation: str, said: str, fault: Fault
    ) -> None:
        proxy.fault_of = always(fault, operation)
        result = run(faulty.kit, command)
        assert result.code == (4 if operation == "UpdateAssumeRolePolicy" else 5)
        assert said in result.err
        proxy.clear_faults()
        faulty.kit.done("issue-token", "--user", "alice")
        ends_right(faulty, command)

    @pytest.mark.soak  # Terraform's provider tries for half a minute, and where it is throttled for three
    @pytest.mark.parametrize("fault", [fault for fault in PASSING if fault is not Fault.SLOW], ids=str)
    def test_lasting_fault_of_terraform_is_reported_once_and_the_next_run_completes(
        self, kit: Kit, venue: str, proxy: Proxy, fault: Fault
    ) -> None:
        kit.write_inventory({venue: through(venue, proxy)})
        proxy.fault_of = always(fault, "CreatePolicy")
        result = run(kit, "provision")
        assert result.code == 4
        assert result.out == f"{venue} : ok=2 changed=2 {REST.replace('failed=0', 'failed=1')}\n"
        assert "iam:CreatePolicy" in result.err
        assert "again" in result.err.splitlines()[-1]
        proxy.clear_faults()
        ends_right(VenueTrust(kit, venue), "provision")

    @pytest.mark.soak
    @pytest.mark.parametrize("fault", [Fault.LOST, Fault.CUT_OFF], ids=str)
    @pytest.mark.parametrize("operation", ["CreateRole", "CreatePolicy", "PutParameter"])
    def test_resource_whose_response_was_lost_is_imported_by_the_next_run(
        self, kit: Kit, venue: str, proxy: Proxy, operation: str, fault: Fault
    ) -> None:
        kit.write_inventory({venue: through(venue, proxy)})
        proxy.fault_of = first(fault, operation)
        result = run(kit, "provision")
        assert result.code == 4
        assert "run the command again: it imports what" in result.err
        again = kit.done("provision")
        assert f"{venue} : ok=9 " in again.out
        assert "importing" in again.err
        VenueTrust(kit, venue).check_stable()

    @pytest.mark.soak
    def test_attachment_whose_response_was_lost_is_retried(self, kit: Kit, venue: str, proxy: Proxy) -> None:
        kit.write_inventory({venue: through(venue, proxy)})
        proxy.fault_of = first(Fault.LOST, "AttachRolePolicy")
        assert run(kit, "provision").out == f"{venue} : ok=9 changed=6 {REST}\n"
