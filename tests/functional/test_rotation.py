"""``invoke rotate-external-id`` from every stage, with the real Terraform on the AWS emulator."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from tests.functional.guard import KNOWN, Guard
from tests.functional.kit import ACCOUNT, OTHER_ACCOUNT, Kit, Result, emulated
from tests.functional.proxy import Proxy
from venue_access.inventory.model import emulator_operator_arn


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, work_directory: Path) -> Guard:
    """A venue that is provisioned once."""
    return Guard.provisioned(Kit(tmp_path_factory.mktemp("rotated"), work_directory), "rotated-dev")


@pytest.fixture
def guard(shared: Guard) -> Guard:
    """It in its first state: stable, with an ID that is known here."""
    shared.reset()
    return shared


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


class TestEveryRow:
    def test_stable_becomes_stable_with_another_id(self, guard: Guard) -> None:
        result = rotate(guard.kit)
        assert result.out == f"{guard.venue}: the external ID was rotated\n"
        new = guard.check_stable(KNOWN[0])
        assert new not in result.err
        assert guard.kit.done("provision").out.split()[3] == "changed=0"

    @pytest.mark.soak
    def test_pending_resumes_with_the_same_id_and_without_terraform_state(self, guard: Guard) -> None:
        first, second, _ = KNOWN
        guard.write_trust(guard.statement("Current", first), guard.statement("Incoming", second))
        shutil.rmtree(guard.kit.work_directory / "stacks" / guard.venue)
        document = json.loads(rotate(guard.kit, "--json").out)
        assert document == {
            "venue": guard.venue,
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
        assert guard.check_stable(first) == second

    def test_grace_period_is_seen_by_every_machine_and_ended_early_only_by_finish(self, guard: Guard) -> None:
        first, second, _ = KNOWN
        guard.write_trust(guard.statement("Current", first), guard.statement("Incoming", second))
        guard.put(second)
        document = json.loads(rotate(guard.kit, "--grace", "24h", "--json").out)  # the first that knows of an end
        until = datetime.strptime(document["grace_until"], "%Y-%m-%dT%H:%M:%S%z")
        assert abs(until - datetime.now(timezone.utc) - timedelta(hours=24)) < timedelta(minutes=10)
        assert guard.grace_tag() == document["grace_until"]
        for flags in ((), ("--repair",)):
            refused = guard.kit("rotate-external-id", "--venue", guard.venue, *flags)
            assert (refused.code, refused.out) == (2, "")
            assert f"the old external ID is accepted until {until:%Y-%m-%d %H:%M} UTC" in refused.err
            assert f"invoke rotate-external-id --venue {guard.venue} --finish" in refused.err
        assert f"(grace period until {until:%Y-%m-%d %H:%M} UTC)" in guard.kit.done("status").out
        assert guard.kit.done("status", "--json").document()["venues"][guard.venue]["grace_until"] == guard.grace_tag()
        assert "changed=0 " in guard.kit.done("provision").out
        assert guard.grace_tag() == document["grace_until"]
        assert guard.accepted() == {"Current": first, "Incoming": second}
        rotate(guard.kit, "--grace", "0")  # it is over now, so that a plain run completes it
        assert rotate(guard.kit).out == f"{guard.venue}: the external ID was rotated\n"
        assert guard.check_stable(first) == second
        assert guard.grace_tag() is None
        assert guard.kit.done("status", "--json").document()["venues"][guard.venue]["grace_until"] is None

    @pytest.mark.soak
    def test_grace_period_stops_at_promoted_and_provision_keeps_it(self, guard: Guard) -> None:
        first = KNOWN[0]
        assert "--finish" in rotate(guard.kit, "--grace", "24h").out
        second = guard.published()
        assert second is not None
        assert guard.accepted() == {"Current": first, "Incoming": second}
        guard.kit.done("issue-token", "--user", "alice")
        guard.kit.done("issue-token", "--user", "alice", "--external-id", first)

        assert guard.grace_tag() is not None
        assert guard.kit("rotate-external-id", "--venue", guard.venue).code == 2
        again = rotate(guard.kit, "--grace", "24h")
        assert "grace period until" in again.err
        assert "run --finish" in rotate(guard.kit, "--grace", "0").err
        provisioned = guard.kit.done("provision")
        assert "a rotation of its external ID is in progress, and provision does not change it" in provisioned.err
        assert guard.accepted() == {"Current": first, "Incoming": second}

        rotate(guard.kit, "--finish")
        assert guard.check_stable(first) == second
        before = guard.trust()
        assert rotate(guard.kit, "--finish").out == f"{guard.venue}: no rotation is in progress\n"
        assert (guard.published(), guard.trust()) == (second, before)

    @pytest.mark.soak
    def test_a_parameter_that_was_lost_is_restored_first(self, guard: Guard) -> None:
        guard.lose_parameter()
        assert "no rotation is in progress" in rotate(guard.kit, "--finish").out
        assert guard.check_stable() == KNOWN[0]

    @pytest.mark.soak
    def test_a_parameter_that_was_lost_in_the_middle_is_restored_and_the_rotation_goes_on(self, guard: Guard) -> None:
        guard.write_trust(guard.statement("Current", KNOWN[0]), guard.statement("Incoming", KNOWN[1]))
        guard.lose_parameter()
        rotate(guard.kit)
        assert guard.check_stable(KNOWN[0]) == KNOWN[1]

    def test_a_venue_that_is_not_provisioned_has_nothing_to_rotate(self, kit: Kit, venue: str) -> None:
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
            pytest.param([("Current",)], KNOWN[0], "without an external ID", id="no guard", marks=pytest.mark.soak),
            pytest.param(
                [("Mine", KNOWN[0], KNOWN[1])], KNOWN[2], "was edited by hand", id="by hand", marks=pytest.mark.soak
            ),
            pytest.param(
                [("Mine", KNOWN[0], KNOWN[1])], None, "was edited by hand", id="P lost", marks=pytest.mark.soak
            ),
        ],
    )
    def test_a_broken_state_is_told_and_mended(
        self, statements: list[tuple[str, ...]], published: str | None, reason: str, guard: Guard
    ) -> None:
        guard.write_trust(*(guard.statement(*each) for each in statements))
        guard.lose_parameter()
        if published is not None:
            guard.put(published)
        err = refused(guard.kit)
        assert reason in err
        assert f"invoke rotate-external-id --venue {guard.venue} --repair" in err
        assert "no ID at all" not in err
        rotate(guard.kit, "--repair")
        guard.check_stable(*KNOWN)

    @pytest.mark.soak
    def test_a_principal_that_was_deleted_is_told_and_mended(self, guard: Guard) -> None:
        statement = guard.statement("Current", KNOWN[0])
        guard.write_trust({**statement, "Principal": {"AWS": "AROAEXAMPLEOFADELETED"}})
        assert "the trust policy trusts a deleted principal" in refused(guard.kit)
        rotate(guard.kit, "--repair")
        guard.check_stable(KNOWN[0])

    @pytest.mark.soak
    def test_a_role_made_by_hand_that_provision_does_not_take_is_mended_without_any_state(
        self, kit: Kit, venue: str
    ) -> None:
        guard = Guard(kit, venue)
        statement = {
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
            "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"sts:ExternalId": KNOWN[0]}},
        }
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        kit.done("local.up")
        guard.root.call("iam", "create_role", RoleName=guard.role, AssumeRolePolicyDocument=document)
        guard.put(KNOWN[1])
        result = kit("provision")
        assert result.code == 2
        assert f"invoke rotate-external-id --venue {venue} --repair" in result.err
        rotate(kit, "--repair")
        guard.check_stable(*KNOWN)
        assert kit.done("provision").out.split()[4] == "unreachable=0"
        guard.check_stable(*KNOWN)


class TestItRefuses:
    def test_to_carry_a_change_of_the_inventory_along(self, guard: Guard) -> None:
        others = [emulator_operator_arn(ACCOUNT), f"arn:aws:iam::{OTHER_ACCOUNT}:root"]
        changed = {"tags": {"Owner": "somebody else"}, "trusted_principals": others}
        guard.kit.write_inventory({guard.venue: emulated(guard.venue, **changed)})
        err = refused(guard.kit)
        assert "more than its external ID: assume_role_policy, tags, tags_all" in err
        assert guard.accepted() == {"Current": KNOWN[0]}

    @pytest.mark.soak
    def test_a_caller_who_cannot_prove_anything_unless_told(self, guard: Guard) -> None:
        kit = guard.kit
        stranger = [f"arn:aws:iam::{OTHER_ACCOUNT}:root"]
        kit.write_inventory({guard.venue: emulated(guard.venue, trusted_principals=stranger)})
        kit.done("provision")
        err = refused(kit)
        assert "a rotation proves each ID before it is used, and you cannot" in err
        assert "is not one of the venue's trusted_principals" in err
        result = rotate(kit, "--skip-verification")
        assert "the trust policy was not verified" in result.err
        assert guard.accepted() == {"Current": guard.published()}
        assert guard.published() != KNOWN[0]

    @pytest.mark.parametrize("arguments", [("--finish", "--repair"), ("--finish", "--grace=1h"), ("--grace=soon",)])
    def test_what_makes_no_sense(self, arguments: tuple[str, ...], provisioned: tuple[Kit, str]) -> None:
        refused(provisioned[0], *arguments)

    def test_to_begin_in_a_dry_run(self, provisioned: tuple[Kit, str]) -> None:
        kit, venue = provisioned
        before = Guard(kit, venue).published()
        assert kit.done("--dry", "rotate-external-id").err == f"would rotate the external ID of {venue}\n"
        assert Guard(kit, venue).published() == before


class TestSomebodyElse:
    @pytest.mark.soak
    def test_who_changes_the_ids_while_a_plan_is_made_has_the_plan_thrown_away(
        self, guard: Guard, proxy: Proxy
    ) -> None:
        guard.kit.write_inventory({guard.venue: emulated(guard.venue, aws_endpoint_url=proxy.url)})
        meddled: list[str] = []

        def meddle(operation: str) -> None:
            # The plan's own reading of the role's policies is after the kit's reading of the role.
            if operation == "ListRolePolicies" and not meddled:
                meddled.append(operation)
                guard.write_trust(guard.statement("Current", KNOWN[1]))
                guard.put(KNOWN[1])

        proxy.before_call = meddle
        result = rotate(guard.kit, "--grace", "1h")
        assert meddled
        assert "changed concurrently, retrying" in result.err
        assert guard.accepted() == {"Current": KNOWN[1], "Incoming": guard.published()}

    @pytest.mark.soak
    def test_who_rotates_at_the_same_time_on_this_machine_is_waited_for(self, guard: Guard) -> None:
        running = [guard.kit.start("rotate-external-id", "--venue", guard.venue) for _ in range(2)]
        errors = []
        for process in running:
            _, err = process.communicate(timeout=240)
            assert process.returncode == 0, err
            errors.append(err)
        assert sum("waiting for another run on its stack" in err for err in errors) == 1
        guard.check_stable(*KNOWN)

    def test_ctrl_c_leaves_it_where_the_next_run_goes_on(self, guard: Guard, proxy: Proxy) -> None:
        guard.kit.write_inventory({guard.venue: emulated(guard.venue, aws_endpoint_url=proxy.url)})
        process = guard.kit.start("rotate-external-id")

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
        guard.kit.done("issue-token", "--user", "alice")
        assert guard.published() in guard.accepted().values()
