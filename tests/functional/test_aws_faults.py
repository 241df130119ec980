"""AWS that throttles, fails, is slow, breaks connections or lags: what passes is survived, and what does not is told.

The proxy between the kit (with its Terraform) and the AWS emulator plays each fault.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.functional.faults import PASSING, Fault, always, at_random, first
from tests.functional.guard import FIRST, KNOWN, Guard
from tests.functional.kit import Kit, Result, emulated
from tests.functional.lagging_iam import LaggingIam
from tests.functional.processes import left_in
from tests.functional.proxy import Proxy
from tests.functional.test_provision import REST, role_of
from tests.functional.test_terraform_faults import the_root
from venue_access.errors import TerraformError

VENUE = "faulty-dev"
COMMANDS = {
    "issue-token": ("--user", "alice"),
    "status": (),
    "verify": (),
    "revoke-token": ("--user", "alice"),
    "rotate-external-id": (),
    "provision": (),
}
TERRAFORMS = ("rotate-external-id", "provision")
DEADLINE = 75.0
"""Seconds in which the kit's own calls have told that AWS does not answer, on a busy machine."""


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, work_directory: Path) -> Guard:
    """A venue that is provisioned once."""
    return Guard.provisioned(Kit(tmp_path_factory.mktemp("faulty"), work_directory), VENUE)


@pytest.fixture
def guard(shared: Guard, proxy: Proxy) -> Iterator[Guard]:
    """It in its first state, reached through the proxy."""
    shared.reset()
    shared.kit.write_inventory({VENUE: through(VENUE, proxy)})
    yield shared
    proxy.mend()


def through(name: str, proxy: Proxy, **variables: Any) -> dict[str, Any]:
    return emulated(name, aws_endpoint_url=proxy.url, **variables)


def run(kit: Kit, command: str, *flags: str) -> Result:
    """Run a command; whatever comes of it is said in one short message, without an ID."""
    result = kit(command, *COMMANDS[command], *flags)
    shown = result.out + result.err
    assert "Traceback" not in shown
    assert "va." not in shown  # how the kit's own IDs begin
    assert not any(each in shown for each in KNOWN)
    told = result.err.partition("error: ")[2]
    assert bool(told) is (result.code != 0), result.err
    assert "error: " not in told
    assert len(told) < 600
    return result


def ends_right(guard: Guard, command: str) -> None:
    """Without faults the same command ends right, and so does the venue."""
    guard.kit.done(command, *COMMANDS[command])
    guard.check_stable()


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


class TestWhatPasses:
    # Terraform's provider gives up where an answer is cut off: see below.
    @quick(
        *(("issue-token", Fault.LOST), ("status", Fault.CUT_OFF)),
        without=[(command, Fault.CUT_OFF) for command in TERRAFORMS],
    )
    def test_each_call_that_fails_once_is_made_again(
        self, guard: Guard, proxy: Proxy, command: str, fault: Fault
    ) -> None:
        proxy.fault_of = first(fault)
        result = run(guard.kit, command)
        assert result.code == 0, result.err
        assert fault in dict(proxy.played).values()
        proxy.mend()
        guard.check_stable()

    def test_a_token_whose_answer_was_lost_is_issued_again_and_entered_once(self, guard: Guard, proxy: Proxy) -> None:
        ledger = guard.kit.work_directory / "ledger.jsonl"
        before = ledger.read_text().count('"issue"') if ledger.exists() else 0
        proxy.fault_of = first(Fault.LOST, "AssumeRole")
        token = run(guard.kit, "issue-token")
        guard.kit.session(token.document()).call("s3", "list_objects_v2", Bucket=f"{VENUE}-data")
        assert proxy.calls.count("AssumeRole") == 3  # the operator's own, lost; again; the token's
        assert ledger.read_text().count('"issue"') == before + 1

    @pytest.mark.soak
    @pytest.mark.parametrize("fault", [fault for fault in PASSING if fault not in (Fault.LOST, Fault.CUT_OFF)], ids=str)
    def test_a_fresh_venue_is_made_though_each_call_fails_once(
        self, kit: Kit, venue: str, proxy: Proxy, fault: Fault
    ) -> None:
        kit.write_inventory({venue: through(venue, proxy)})
        proxy.fault_of = first(fault)
        assert run(kit, "provision").out == f"{venue} : ok=9 changed=6 {REST}\n"
        proxy.mend()
        Guard(kit, venue).check_stable()

    @pytest.mark.soak
    @pytest.mark.parametrize("fault", [fault for fault in PASSING if fault is not Fault.CUT_OFF], ids=str)
    def test_a_venue_is_changed_though_each_call_fails_once(self, guard: Guard, proxy: Proxy, fault: Fault) -> None:
        guard.kit.write_inventory({VENUE: through(VENUE, proxy, tags={"Fault": fault.name}, s3_allow_delete=True)})
        proxy.fault_of = first(fault)
        result = run(guard.kit, "provision")
        assert result.code == 0, result.err
        proxy.mend()
        guard.check_stable()

    @pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(2, 8))])
    def test_the_kits_own_calls_survive_faults_at_random(self, guard: Guard, proxy: Proxy, seed: int) -> None:
        proxy.slowness = 1.0
        proxy.fault_of = at_random(seed, 0.1)
        for command in ("status", "issue-token", "revoke-token"):
            result = run(guard.kit, command)
            assert result.code == 0, result.err
        assert proxy.played


class TestWhatDoesNotPass:
    @quick(("issue-token", Fault.INTERNAL_ERROR))
    def test_it_is_one_message_within_a_minute_and_the_next_run_ends_right(
        self, guard: Guard, proxy: Proxy, command: str, fault: Fault
    ) -> None:
        proxy.slowness = 600.0
        proxy.fault_of = always(fault)
        began = time.monotonic()
        result = run(guard.kit, command)
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
        proxy.mend()
        ends_right(guard, command)

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
    def test_a_write_that_fails_in_the_middle_says_how_things_were_left(
        self, guard: Guard, proxy: Proxy, command: str, operation: str, said: str, fault: Fault
    ) -> None:
        proxy.fault_of = always(fault, operation)
        result = run(guard.kit, command)
        assert result.code == (4 if operation == "UpdateAssumeRolePolicy" else 5)
        assert said in result.err
        proxy.mend()
        guard.kit.done("issue-token", "--user", "alice")
        ends_right(guard, command)

    @pytest.mark.soak  # Terraform's provider tries for half a minute, and where it is throttled for three
    @pytest.mark.parametrize("fault", [fault for fault in PASSING if fault is not Fault.SLOW], ids=str)
    def test_what_fails_terraform_for_good_is_told_once_and_the_next_run_completes(
        self, kit: Kit, venue: str, proxy: Proxy, fault: Fault
    ) -> None:
        kit.write_inventory({venue: through(venue, proxy)})
        proxy.fault_of = always(fault, "CreatePolicy")
        result = run(kit, "provision")
        assert result.code == 4
        assert result.out == f"{venue} : ok=2 changed=2 {REST.replace('failed=0', 'failed=1')}\n"
        assert "iam:CreatePolicy" in result.err
        assert "again" in result.err.splitlines()[-1]
        proxy.mend()
        ends_right(Guard(kit, venue), "provision")

    @pytest.mark.soak
    @pytest.mark.parametrize("fault", [Fault.LOST, Fault.CUT_OFF], ids=str)
    @pytest.mark.parametrize("operation", ["CreateRole", "CreatePolicy", "PutParameter"])
    def test_what_was_made_though_the_answer_was_lost_is_imported_by_the_next_run(
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
        Guard(kit, venue).check_stable()

    @pytest.mark.soak
    def test_an_attachment_whose_answer_was_lost_is_made_again(self, kit: Kit, venue: str, proxy: Proxy) -> None:
        kit.write_inventory({venue: through(venue, proxy)})
        proxy.fault_of = first(Fault.LOST, "AttachRolePolicy")
        assert run(kit, "provision").out == f"{venue} : ok=9 changed=6 {REST}\n"


class TestTheLedgerInS3:
    @pytest.fixture
    def shared_ledger(self, guard: Guard, proxy: Proxy) -> Guard:
        """The venue with a ledger in S3, which has an entry already."""
        guard.kit.write_inventory({VENUE: through(VENUE, proxy, ledger={"s3": {"bucket": f"{VENUE}-ledger"}})})
        guard.kit.done("issue-token", "--user", "alice")
        proxy.forget()
        return guard

    @pytest.mark.parametrize(
        "fault",
        [each if each is Fault.LOST else pytest.param(each, marks=pytest.mark.soak) for each in PASSING],
        ids=str,
    )
    def test_each_call_that_fails_once_is_made_again_and_nothing_is_entered_twice(
        self, shared_ledger: Guard, proxy: Proxy, fault: Fault
    ) -> None:
        before = self.entries(shared_ledger.kit)
        proxy.fault_of = first(fault)
        result = run(shared_ledger.kit, "issue-token")
        assert result.code == 0, result.err
        proxy.mend()
        assert self.entries(shared_ledger.kit) == before + 1
        shared_ledger.kit.done("ledger.verify")

    @pytest.mark.parametrize("times", [1, pytest.param(50, marks=pytest.mark.soak)])
    def test_an_entry_whose_body_is_cut_off_is_read_again_but_not_for_ever(
        self, shared_ledger: Guard, proxy: Proxy, times: int
    ) -> None:
        reads: list[str] = []

        def fault_of(operation: str) -> Fault | None:
            reads.extend([operation] * (operation == "GetObject"))
            # The first of them lists the bucket, which has no body that is streamed.
            return Fault.CUT_OFF if operation == "GetObject" and 1 < len(reads) <= 1 + times else None

        proxy.fault_of = fault_of
        result = run(shared_ledger.kit, "issue-token")
        assert result.code == (0 if times == 1 else 5), result.err
        assert proxy.played
        if times > 1:
            assert f"error: the ledger s3://{VENUE}-ledger/" in result.err
            assert "could not be reached for s3:GetObject" in result.err

    @staticmethod
    def entries(kit: Kit) -> int:
        return len(kit.done("tokens", "--json").document()["tokens"])


@pytest.mark.soak
@pytest.mark.parametrize("operation", ["CreatePolicy", "GetCallerIdentity"])
def test_a_terraform_that_aws_never_answers_is_stopped(kit: Kit, venue: str, proxy: Proxy, operation: str) -> None:
    kit.write_inventory({venue: through(venue, proxy)})
    kit.done("provision", "--check")
    root = the_root(kit, venue)
    terraform = root.terraform()
    plan = terraform.plan()
    proxy.slowness = 600.0
    proxy.fault_of = always(Fault.SLOW, operation)
    terraform.deadline = 6.0
    with pytest.raises(TerraformError, match="terraform apply was not done after 0 minutes, and was stopped"):
        terraform.apply(plan)
    assert left_in(root.folder) == {}
    proxy.mend()
    ends_right(Guard(kit, venue), "provision")


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(1, 7))
def test_with_faults_at_random_everything_ends_right_or_says_so(kit: Kit, venue: str, proxy: Proxy, seed: int) -> None:
    guard = Guard(kit, venue)
    proxy.slowness = 1.0
    kit.write_inventory({venue: through(venue, proxy)})
    proxy.fault_of = at_random(seed, 0.1)
    codes = []
    for _ in range(5):  # Terraform has some thirty calls to get through, and does not survive each fault
        codes.append(run(kit, "provision").code)
        if codes[-1] == 0:
            break
    assert set(codes) <= {0, 4, 5}
    proxy.mend()
    ends_right(guard, "provision")
    kit.write_inventory({venue: through(venue, proxy, tags={"Team": "ops"})})
    proxy.fault_of = at_random(seed + 100, 0.1)
    for command in ("provision", *COMMANDS):
        assert run(kit, command).code in (0, 4, 5), command
    proxy.mend()
    ends_right(guard, "rotate-external-id")
    ends_right(guard, "provision")


@pytest.mark.soak
@pytest.mark.parametrize("reads_lag", [False, True])
def test_a_rotation_waits_until_iam_sees_each_change_and_tokens_can_be_issued_meanwhile(
    guard: Guard, proxy: Proxy, reads_lag: bool
) -> None:
    proxy.lagging = LaggingIam(2.0, reads_lag=reads_lag)
    with guard.kit.start("rotate-external-id") as process:
        issued = []
        while process.poll() is None:
            issued.append(run(guard.kit, "issue-token").code)
            time.sleep(1.0)  # leaves the processor to Terraform
        out, err = process.communicate()
    assert (process.returncode, out) == (0, f"{VENUE}: the external ID was rotated\n"), err
    assert "verified that the old one, a wrong one and none are refused" in err
    assert len(issued) > 2
    assert not any(issued)
    proxy.lagging.wait_until_effective()
    guard.check_stable(FIRST)


@pytest.mark.soak
@pytest.mark.parametrize("seconds", [5.0, 60.0])
def test_a_fresh_venue_is_proved_when_iam_has_seen_it(kit: Kit, venue: str, proxy: Proxy, seconds: float) -> None:
    kit.write_inventory({venue: through(venue, proxy)})
    proxy.lagging = LaggingIam(seconds)
    began = time.monotonic()
    assert run(kit, "provision").out == f"{venue} : ok=9 changed=6 {REST}\n"
    assert time.monotonic() - began > seconds
    Guard(kit, venue).check_stable()


@pytest.mark.soak
def test_a_rotation_bears_an_iam_that_takes_a_minute(guard: Guard, proxy: Proxy) -> None:
    proxy.lagging = LaggingIam(60.0)
    assert run(guard.kit, "rotate-external-id").code == 0
    proxy.lagging.wait_until_effective()
    guard.check_stable(FIRST)


@pytest.mark.soak  # three minutes: AWS is given two
def test_an_iam_that_does_not_see_a_change_in_time_leaves_the_old_id_in_use(guard: Guard, proxy: Proxy) -> None:
    proxy.lagging = LaggingIam(150.0)
    result = run(guard.kit, "rotate-external-id")
    assert result.code == 5
    assert "the role does not accept the new external ID after 120 s; the one in use stays in use" in result.err
    assert guard.published() == FIRST
    proxy.lagging.wait_until_effective()
    proxy.lagging = None
    ends_right(guard, "rotate-external-id")


class TestTheClock:
    @pytest.mark.parametrize(
        "command",
        [each if each == "status" else pytest.param(each, marks=pytest.mark.soak) for each in COMMANDS],
    )
    def test_one_that_is_wrong_is_named(self, guard: Guard, proxy: Proxy, command: str) -> None:
        proxy.fault_of = always(Fault.SKEWED)
        result = run(guard.kit, command)
        assert result.code == 5
        assert "error: this machine's clock is off by more than AWS allows\n  set this machine's clock" in result.err

    @pytest.mark.soak
    def test_terraform_names_it_too(self, kit: Kit, venue: str, proxy: Proxy) -> None:
        kit.write_inventory({venue: through(venue, proxy)})
        proxy.fault_of = always(Fault.SKEWED, "CreateRole")
        result = run(kit, "provision")
        assert result.code == 4
        assert "  set this machine's clock, and run the command again" in result.err
        proxy.mend()
        ends_right(Guard(kit, venue), "provision")


def expire(proxy: Proxy, operation: str) -> None:
    """Have the keys expire when an operation is first called."""
    expired: list[str] = []

    def fault_of(called: str) -> Fault | None:
        if called == operation:
            expired.append(called)
        return Fault.EXPIRED if expired else None

    proxy.fault_of = fault_of


@pytest.mark.soak
class TestKeysThatExpireInTheMiddle:
    @pytest.mark.parametrize(
        ("operation", "code"),
        [
            ("AttachRolePolicy", 4),
            ("CreateRole", 4),
            ("GetPolicyVersion", 4),
            ("GetParameter", 5),
        ],
    )
    def test_of_a_provision_ask_for_new_ones_and_the_next_run_completes(
        self, kit: Kit, venue: str, proxy: Proxy, operation: str, code: int
    ) -> None:
        kit.write_inventory({venue: through(venue, proxy)})
        expire(proxy, operation)
        result = run(kit, "provision")
        assert result.code == code, result.err
        assert "  get new keys from your account portal, export them, and run the command again" in result.err
        proxy.mend()
        ends_right(Guard(kit, venue), "provision")

    @pytest.mark.parametrize(("operation", "code"), [("UpdateAssumeRolePolicy", 4), ("PutParameter", 5)])
    def test_of_a_rotation_ask_for_new_ones_and_the_next_run_goes_on(
        self, guard: Guard, proxy: Proxy, operation: str, code: int
    ) -> None:
        expire(proxy, operation)
        result = run(guard.kit, "rotate-external-id")
        assert result.code == code, result.err
        assert "get new keys from your account portal" in result.err
        assert "tokens can be issued as before" in result.err
        proxy.mend()
        guard.kit.done("issue-token", "--user", "alice")
        ends_right(guard, "rotate-external-id")


class TestByHand:
    @pytest.mark.soak
    def test_a_role_that_was_deleted_is_told_and_made_anew(self, guard: Guard) -> None:
        kit, root = guard.kit, guard.root
        for policy in root.attached_policies(role_of(VENUE)):
            root.call("iam", "detach_role_policy", RoleName=role_of(VENUE), PolicyArn=policy)
        for name in root.call("iam", "list_role_policies", RoleName=role_of(VENUE))["PolicyNames"]:
            root.call("iam", "delete_role_policy", RoleName=role_of(VENUE), PolicyName=name)
        root.call("iam", "delete_role", RoleName=role_of(VENUE))

        missing = "its role is missing, though its SSM parameter exists"
        assert run(kit, "status").out == f"{VENUE}: not provisioned: {missing}: re-create it with invoke provision\n"
        for command, said in (
            ("issue-token", f"there is no role {role_of(VENUE)}, though its SSM parameter is there"),
            ("rotate-external-id", f"{VENUE} is not provisioned: {missing}"),
            ("revoke-token", f"{VENUE} is not provisioned\n  there is no role {role_of(VENUE)}"),
        ):
            result = run(kit, command)
            assert result.code == 2, result.err
            assert said in result.err
        assert run(kit, "verify").code == 7
        assert "failed=0" in run(kit, "provision").out
        assert guard.check_stable() == FIRST

    def test_a_principal_that_was_deleted_is_named(self, guard: Guard) -> None:
        guard.write_trust({**guard.statement("Current", FIRST), "Principal": {"AWS": "AROAEXAMPLEOFADELETED"}})
        named = "the trust policy trusts a deleted principal"
        assert named in run(guard.kit, "status").out
        verified = run(guard.kit, "verify")
        assert verified.code == 7
        assert named in verified.out
        refused = run(guard.kit, "rotate-external-id")
        assert (refused.code, named in refused.err) == (2, True)
        assert "invoke provision --venue" in refused.err

    @pytest.mark.soak
    def test_a_principal_that_was_deleted_is_replaced_by_provision(self, guard: Guard) -> None:
        guard.write_trust({**guard.statement("Current", FIRST), "Principal": {"AWS": "AROAEXAMPLEOFADELETED"}})
        assert run(guard.kit, "provision").code == 0
        assert guard.check_stable() == FIRST

    @pytest.mark.soak
    def test_a_guard_that_was_taken_away_is_named_and_put_back(self, guard: Guard) -> None:
        guard.write_trust(guard.statement("Current"))
        named = "the trust policy lets the role be assumed without an external ID"
        assert f"; broken: {named}\n" in run(guard.kit, "status").out
        verified = run(guard.kit, "verify")
        assert verified.code == 7
        assert named in verified.out
        assert "sts:AssumeRole without an external ID: expected refused, found allowed" in verified.out
        assert named in run(guard.kit, "rotate-external-id").err
        assert run(guard.kit, "provision").code == 0
        assert guard.check_stable() == FIRST
