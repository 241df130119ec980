"""``invoke rotate-external-id`` from every stage, with the real Terraform on the AWS emulator."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from datetime import datetime, timedelta, timezone

import pytest

from tests.functional.kit import ACCOUNT, OTHER_ACCOUNT, Kit, Result, emulated
from tests.functional.proxy import Proxy
from tests.functional.trust import KNOWN, VenueTrust
from venue_access.inventory.model import emulator_operator_arn


def rotate(kit: Kit, *arguments: str, code: int = 0) -> Result:
    """Rotate, and see that no ID shows."""
    result = kit("rotate-external-id", *arguments)
    assert result.code == code, result.err
    for shown in (result.out, result.err):
        assert "Traceback" not in shown
        assert not any(each in shown for each in KNOWN)
        assert "va." not in shown  # how the kit's own begin
    return result


def refused(kit: Kit, *arguments: str, code: int = 2) -> str:
    result = rotate(kit, *arguments, code=code)
    assert result.out == ""
    return result.err


class TestStates:
    def test_stable_becomes_stable_with_another_id(self, trust: VenueTrust) -> None:
        result = rotate(trust.kit)
        assert result.out == f"{trust.venue}: the external ID was rotated\n"
        new = trust.check_stable(KNOWN[0])
        assert new not in result.err

    @pytest.mark.soak
    def test_pending_rotation_resumes_without_a_state(self, trust: VenueTrust) -> None:
        first, second, _ = KNOWN
        trust.write_trust(trust.statement("Current", first), trust.statement("Pending", second))
        shutil.rmtree(trust.kit.work_directory / "stacks" / trust.venue)
        document = json.loads(rotate(trust.kit, "--json").out)
        assert document == {
            "venue": trust.venue,
            "began": "pending",
            "ended": "stable",
            "steps": [
                "promoted it: tokens are issued with the new one",
                "retired the old external ID",
                "verified that the old one, a wrong one and none are refused",
            ],
            "complete": True,
            "grace_until": None,
        }
        assert trust.check_stable(first) == second

    def test_grace_period_is_shared_and_ended_only_by_finish(self, trust: VenueTrust) -> None:
        first, second, _ = KNOWN
        trust.write_trust(trust.statement("Current", first), trust.statement("Pending", second))
        trust.put(second)
        document = json.loads(rotate(trust.kit, "--grace", "24h", "--json").out)  # the first that knows of an end
        until = datetime.strptime(document["grace_until"], "%Y-%m-%dT%H:%M:%S%z")
        assert abs(until - datetime.now(timezone.utc) - timedelta(hours=24)) < timedelta(minutes=10)
        assert trust.grace_tag() == document["grace_until"]
        for flags in ((), ("--repair",)):
            refused = trust.kit("rotate-external-id", "--venue", trust.venue, *flags)
            assert (refused.code, refused.out) == (2, "")
            assert f"the old external ID is accepted until {until:%Y-%m-%d %H:%M} UTC" in refused.err
            assert f"invoke rotate-external-id --venue {trust.venue} --finish" in refused.err
        assert f"(grace period until {until:%Y-%m-%d %H:%M} UTC)" in trust.kit.done("status").out
        assert trust.kit.done("status", "--json").document()["venues"][trust.venue]["grace_until"] == trust.grace_tag()
        assert "changed=0 " in trust.kit.done("provision").out
        assert trust.grace_tag() == document["grace_until"]
        assert trust.accepted() == {"Current": first, "Pending": second}
        rotate(trust.kit, "--grace", "0")  # it is over now, so that a plain run completes it
        assert rotate(trust.kit).out == f"{trust.venue}: the external ID was rotated\n"
        assert trust.check_stable(first) == second
        assert trust.grace_tag() is None
        assert trust.kit.done("status", "--json").document()["venues"][trust.venue]["grace_until"] is None

    @pytest.mark.soak
    def test_provision_keeps_grace_period_until_finish(self, trust: VenueTrust) -> None:
        first = KNOWN[0]
        assert "--finish" in rotate(trust.kit, "--grace", "24h").out
        second = trust.published()
        assert second is not None
        assert trust.accepted() == {"Current": first, "Pending": second}
        trust.kit.done("issue-token", "--user", "alice")
        trust.kit.done("issue-token", "--user", "alice", "--external-id", first)

        assert trust.grace_tag() is not None
        assert trust.kit("rotate-external-id", "--venue", trust.venue).code == 2
        again = rotate(trust.kit, "--grace", "24h")
        assert "grace period until" in again.err
        assert "run --finish" in rotate(trust.kit, "--grace", "0").err
        provisioned = trust.kit.done("provision")
        assert "a rotation of its external ID is in progress, and provision does not change it" in provisioned.err
        assert trust.accepted() == {"Current": first, "Pending": second}

        rotate(trust.kit, "--finish")
        assert trust.check_stable(first) == second
        assert trust.kit.done("provision").out.split()[3] == "changed=0"
        before = trust.policy()
        assert rotate(trust.kit, "--finish").out == f"{trust.venue}: no rotation is in progress\n"
        assert (trust.published(), trust.policy()) == (second, before)

    @pytest.mark.soak
    def test_lost_parameter_is_restored(self, trust: VenueTrust) -> None:
        trust.lose_parameter()
        assert "no rotation is in progress" in rotate(trust.kit, "--finish").out
        assert trust.check_stable() == KNOWN[0]

    @pytest.mark.soak
    def test_lost_parameter_is_restored_and_the_rotation_resumes(self, trust: VenueTrust) -> None:
        trust.write_trust(trust.statement("Current", KNOWN[0]), trust.statement("Pending", KNOWN[1]))
        trust.lose_parameter()
        rotate(trust.kit)
        assert trust.check_stable(KNOWN[0]) == KNOWN[1]

    def test_unprovisioned_venue_is_refused(self, kit: Kit, venue: str) -> None:
        assert f"{venue} is not provisioned" in refused(kit)


class TestRepair:
    @pytest.mark.parametrize(
        ("statements", "published", "reason"),
        [
            pytest.param(
                [("Current", KNOWN[0])], KNOWN[2], "does not accept the parameter's external ID", id="P in neither"
            ),
            pytest.param(
                *([("Current", KNOWN[0])], "no ID at all", "does not accept the parameter's"),
                id="P is none",
                marks=pytest.mark.soak,
            ),
            pytest.param([("Current",)], KNOWN[0], "without an external ID", id="no condition", marks=pytest.mark.soak),
            pytest.param(
                [("Mine", KNOWN[0], KNOWN[1])], KNOWN[2], "was edited by hand", id="by hand", marks=pytest.mark.soak
            ),
            pytest.param(
                [("Mine", KNOWN[0], KNOWN[1])], None, "was edited by hand", id="P lost", marks=pytest.mark.soak
            ),
        ],
    )
    def test_broken_state_is_reported_and_repaired(
        self, statements: list[tuple[str, ...]], published: str | None, reason: str, trust: VenueTrust
    ) -> None:
        trust.write_trust(*(trust.statement(*each) for each in statements))
        trust.lose_parameter()
        if published is not None:
            trust.put(published)
        err = refused(trust.kit)
        assert reason in err
        assert f"invoke rotate-external-id --venue {trust.venue} --repair" in err
        assert "no ID at all" not in err
        rotate(trust.kit, "--repair")
        trust.check_stable(*KNOWN)

    @pytest.mark.soak
    def test_deleted_principal_is_reported_and_repaired(self, trust: VenueTrust) -> None:
        statement = trust.statement("Current", KNOWN[0])
        trust.write_trust({**statement, "Principal": {"AWS": "AROAEXAMPLEOFADELETED"}})
        assert "the trust policy trusts a deleted principal" in refused(trust.kit)
        rotate(trust.kit, "--repair")
        trust.check_stable(KNOWN[0])

    @pytest.mark.soak
    def test_role_made_by_hand_is_repaired_without_a_state(self, kit: Kit, venue: str) -> None:
        trust = VenueTrust(kit, venue)
        statement = {
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
            "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"sts:ExternalId": KNOWN[0]}},
        }
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        kit.done("local.up")
        trust.root.call("iam", "create_role", RoleName=trust.role, AssumeRolePolicyDocument=document)
        trust.put(KNOWN[1])
        result = kit("provision")
        assert result.code == 2
        assert f"invoke rotate-external-id --venue {venue} --repair" in result.err
        rotate(kit, "--repair")
        trust.check_stable(*KNOWN)
        assert kit.done("provision").out.split()[4] == "unreachable=0"
        trust.check_stable(*KNOWN)


class TestRefusals:
    def test_inventory_change_is_refused(self, trust: VenueTrust) -> None:
        others = [emulator_operator_arn(ACCOUNT), f"arn:aws:iam::{OTHER_ACCOUNT}:root"]
        changed = {"tags": {"Owner": "somebody else"}, "trusted_principals": others}
        trust.kit.write_inventory({trust.venue: emulated(trust.venue, **changed)})
        err = refused(trust.kit)
        assert "more than its external ID: assume_role_policy, tags, tags_all" in err
        assert trust.accepted() == {"Current": KNOWN[0]}

    @pytest.mark.soak
    def test_caller_that_cannot_verify_needs_the_flag(self, trust: VenueTrust) -> None:
        kit = trust.kit
        stranger = [f"arn:aws:iam::{OTHER_ACCOUNT}:root"]
        kit.write_inventory({trust.venue: emulated(trust.venue, trusted_principals=stranger)})
        kit.done("provision")
        err = refused(kit)
        assert "a rotation proves each ID before it is used, and you cannot" in err
        assert "is not one of the venue's trusted_principals" in err
        result = rotate(kit, "--skip-verification")
        assert "the trust policy was not verified" in result.err
        assert trust.accepted() == {"Current": trust.published()}
        assert trust.published() != KNOWN[0]

    @pytest.mark.parametrize("arguments", [("--finish", "--repair"), ("--finish", "--grace=1h"), ("--grace=soon",)])
    def test_contradicting_flags_are_refused(self, arguments: tuple[str, ...], provisioned: tuple[Kit, str]) -> None:
        refused(provisioned[0], *arguments)

    def test_dry_run_does_not_rotate(self, provisioned: tuple[Kit, str]) -> None:
        kit, venue = provisioned
        before = VenueTrust(kit, venue).published()
        assert kit.done("--dry", "rotate-external-id").err == f"would rotate the external ID of {venue}\n"
        assert VenueTrust(kit, venue).published() == before


class TestConcurrency:
    @pytest.mark.soak
    def test_concurrent_id_change_discards_plan(self, trust: VenueTrust, proxy: Proxy) -> None:
        trust.kit.write_inventory({trust.venue: emulated(trust.venue, aws_endpoint_url=proxy.url)})
        meddled: list[str] = []

        def meddle(operation: str) -> None:
            # The plan's own reading of the role's policies is after the kit's reading of the role.
            if operation == "ListRolePolicies" and not meddled:
                meddled.append(operation)
                trust.write_trust(trust.statement("Current", KNOWN[1]))
                trust.put(KNOWN[1])

        proxy.before_call = meddle
        result = rotate(trust.kit, "--grace", "1h")
        assert meddled
        assert "changed concurrently, retrying" in result.err
        assert trust.accepted() == {"Current": KNOWN[1], "Pending": trust.published()}

    @pytest.mark.soak
    def test_concurrent_rotation_is_awaited(self, trust: VenueTrust) -> None:
        running = [trust.kit.start("rotate-external-id", "--venue", trust.venue) for _ in range(2)]
        errors = []
        for process in running:
            _, err = process.communicate(timeout=240)
            assert process.returncode == 0, err
            errors.append(err)
        assert sum("waiting for another run on its stack" in err for err in errors) == 1
        trust.check_stable(*KNOWN)

    def test_interrupted_rotation_resumes(self, trust: VenueTrust, proxy: Proxy) -> None:
        trust.kit.write_inventory({trust.venue: emulated(trust.venue, aws_endpoint_url=proxy.url)})
        process = trust.kit.start("rotate-external-id")

        def interrupt(number: int, operation: str) -> None:
            if number == 1:
                os.kill(process.pid, signal.SIGINT)
                time.sleep(0.2)

        proxy.after_write = interrupt
        try:
            out, err = process.communicate(timeout=120)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        assert (process.returncode, out) == (130, "")
        assert "interrupted; tokens can be issued as before" in err
        assert "Traceback" not in err
        trust.kit.done("issue-token", "--user", "alice")
        assert trust.published() in trust.accepted().values()
