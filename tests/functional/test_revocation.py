"""``invoke revoke-token``: the revoked token is denied, its neighbour works, and so does a new one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from tests.functional.kit import ACCOUNT, Kit, Result, emulated
from tests.functional.proxy import Proxy
from tests.functional.template import SHARED
from venue_access.emulator.server import aws_emulator
from venue_access.errors import AccessDenied
from venue_access.policies import revocation as denies
from venue_access.policies.revocation import REVOCATION_PREFIX

VENUE = SHARED
ROLE = "unity-shared-dev-sts"
USERS = dict.fromkeys(("alice", "alice-b", "alice-20", "bob"))
STATEMENT = {"Effect": "Deny", "Action": "sqs:*", "Resource": "*"}
DENY = {"Version": "2012-10-17", "Statement": [STATEMENT]}


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory, work_directory: Path) -> Kit:
    """The machine that issues the tokens."""
    kit = Kit(tmp_path_factory.mktemp("issuer"), work_directory)
    kit.write_inventory({VENUE: emulated(VENUE, users=USERS)})
    return kit


@pytest.fixture
def kit(issuer: Kit, tmp_path: Path) -> Iterator[Kit]:
    """A machine that never issued anything: a work directory of its own, and a provisioner's keys."""
    endpoint = aws_emulator(issuer.work_directory).endpoint()
    kit = Kit(tmp_path, tmp_path / "work")
    kit.write_inventory({VENUE: as_if_real(endpoint.url)})
    operator = issuer.root().assume_role(f"arn:aws:iam::{ACCOUNT}:role/venue-access-operator", "anna").credentials
    kit.environment |= {**operator.environment(), "AWS_CA_BUNDLE": str(endpoint.ca_file)}
    remove_revocations(issuer)  # of other tests
    yield kit
    remove_revocations(issuer)


def remove_revocations(issuer: Kit) -> None:
    for name in on_the_role(issuer):
        denies.remove_inline(issuer.root(), ROLE, name)


def as_if_real(url: str) -> dict[str, Any]:
    root = f"arn:aws:iam::{ACCOUNT}:root"
    return emulated(VENUE, users=USERS, emulator=False, aws_endpoint_url=url, trusted_principals=[root])


def on_the_role(issuer: Kit) -> list[str]:
    return denies.inline_names(issuer.root(), ROLE)[0]


def issue(issuer: Kit, *users: str) -> list[dict[str, Any]]:
    out = issuer.done("issue-token", "--venue", VENUE, "--user", ",".join(users)).out
    return [json.loads(line) for line in out.splitlines()] if len(users) > 1 else [json.loads(out)]


def name_of(token: dict[str, Any]) -> str:
    return str(token["AssumedRoleUser"]["Arn"].rsplit("/", 1)[1])


def works(issuer: Kit, token: dict[str, Any]) -> bool:
    try:
        issuer.session(token).call("s3", "put_object", Bucket=f"{VENUE}-data", Key="a", Body=b"a")
    except AccessDenied:
        return False
    return True


def revoke(kit: Kit, *flags: str) -> Result:
    return kit.done("revoke-token", "--venue", VENUE, *flags)


class TestScope:
    def test_one_token_is_revoked(self, issuer: Kit, kit: Kit) -> None:
        one, other = issue(issuer, "alice") + issue(issuer, "alice")
        result = revoke(kit, "--session", name_of(one))
        assert f"the session {name_of(one)}" in result.out
        assert "warning" not in result.err
        assert "proved: a token of that kind is denied now" in result.err
        assert "GetCallerIdentity still answers a revoked token" in result.err
        assert [works(issuer, token) for token in (one, other, *issue(issuer, "alice"))] == [False, True, True]
        assert issuer.session(one).caller().arn.endswith(name_of(one))  # AWS answers that as well

    def test_all_tokens_of_one_user_are_revoked(self, issuer: Kit, kit: Kit) -> None:
        tokens = issue(issuer, "alice", "alice-b", "alice-20", "bob") + issue(issuer, "alice")
        document = json.loads(revoke(kit, "--user", "alice", "--json").out)
        assert (document["revoked"]["user"], document["proved"]) == ("alice", True)
        assert [works(issuer, token) for token in tokens] == [False, True, True, True, False]
        assert all(works(issuer, token) for token in issue(issuer, "alice", "bob"))

    def test_all_tokens_so_far_are_revoked(self, issuer: Kit, kit: Kit) -> None:
        tokens = issue(issuer, "alice", "bob")
        revoke(kit, "--all")
        assert not any(works(issuer, token) for token in tokens)
        assert all(works(issuer, token) for token in issue(issuer, "alice", "bob"))

    def test_cut_user_name_warns_of_other_users(self, issuer: Kit, kit: Kit) -> None:
        long = "a" * 40
        one, neighbour = issue(issuer, long, "a" * 37)
        result = revoke(kit, "--user", long)
        assert f"everybody whose name begins with {'a' * 38}" in result.err
        assert [works(issuer, one), works(issuer, neighbour)] == [False, True]

    def test_manual_session_is_revoked(self, issuer: Kit, kit: Kit) -> None:
        project, name = VENUE.split("-")
        stored = issuer.root().parameter(f"/unity/{project}/{name}/cs/sts/role/external-id")
        assert stored is not None
        operator = issuer.root().assume_role(f"arn:aws:iam::{ACCOUNT}:role/venue-access-operator", "hand")
        hand = issuer.root().as_session(operator)
        made = hand.assume_role(f"arn:aws:iam::{ACCOUNT}:role/{ROLE}", "unityuser12252025", external_id=stored.value)
        session = issuer.root().as_session(made)
        session.call("s3", "list_objects_v2", Bucket=f"{VENUE}-data")
        revoke(kit, "--session", "unityuser12252025")
        with pytest.raises(AccessDenied):
            session.call("s3", "list_objects_v2", Bucket=f"{VENUE}-data")

    def test_undone_revocation_lets_tokens_work_again(self, issuer: Kit, kit: Kit) -> None:
        [token] = issue(issuer, "bob")
        revoke(kit, "--user", "bob")
        [name] = on_the_role(issuer)
        assert not works(issuer, token)
        assert "work again" in revoke(kit, "--undo", name).err
        assert works(issuer, token)
        assert on_the_role(issuer) == []
        again = kit("revoke-token", "--venue", VENUE, "--undo", name)
        assert again.code == 2
        assert "it has none" in again.err


class TestRolePolicies:
    def test_revocations_are_listed_and_concurrent_ones_are_kept_apart(self, issuer: Kit, kit: Kit) -> None:
        tokens = issue(issuer, "alice", "bob", "alice-b", "alice-20")
        names = [name_of(token) for token in tokens]
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda name: revoke(kit, "--session", name), names))
        listed = json.loads(revoke(kit, "--list", "--json").out)["revocations"]
        assert sorted(each["session"] for each in listed) == sorted(names)
        assert len(revoke(kit, "--list").out.splitlines()) == 4
        assert not any(works(issuer, token) for token in tokens)

    def test_revocations_are_not_drift(self, issuer: Kit, kit: Kit) -> None:
        [token] = issue(issuer, "alice")
        revoke(kit, "--user", "alice")
        before = on_the_role(issuer)
        assert len(before) == 1
        assert "changed=0 " in issuer.done("provision").out
        assert on_the_role(issuer) == before
        assert not works(issuer, token)

    @pytest.mark.soak
    def test_rotation_and_import_do_not_change_revocations(self, issuer: Kit, kit: Kit) -> None:
        [token] = issue(issuer, "alice")
        revoke(kit, "--user", "alice")
        before = on_the_role(issuer)
        issuer.done("rotate-external-id")
        # The other machine has no state of the venue: it imports what is there.
        assert "importing" in kit.done("provision").err
        assert on_the_role(issuer) == before
        assert not works(issuer, token)
        issuer.done("provision")

    def test_only_expired_revocations_are_removed(self, issuer: Kit, kit: Kit) -> None:
        past = datetime.now(timezone.utc) - timedelta(minutes=1)
        old, soon = (f"{REVOCATION_PREFIX}{when:%Y%m%dT%H%M%SZ}-00000000" for when in (past, past + timedelta(hours=1)))
        for name in (old, soon, "foreign", f"{REVOCATION_PREFIX}of-a-colleague"):
            denies.write_inline(issuer.root(), ROLE, name, DENY)
        result = revoke(kit, "--session", "anybody", "--json")
        assert "warning: anybody is not like the session names of issue-token" in result.err
        document = json.loads(result.out)
        assert document["pruned"] == [old]
        left = set(on_the_role(issuer)) - {document["revoked"]["name"]}
        assert left == {soon, "foreign", f"{REVOCATION_PREFIX}of-a-colleague"}
        assert "its policy was changed" in revoke(kit, "--list").out

    def test_full_role_suggests_all_and_has_space_for_it(self, issuer: Kit, kit: Kit) -> None:
        [token] = issue(issuer, "bob")
        filler = {"Version": "2012-10-17", "Statement": [{**STATEMENT, "Sid": "x" * 9_850}]}
        denies.write_inline(issuer.root(), ROLE, "filler", filler)
        result = kit("revoke-token", "--venue", VENUE, "--session", name_of(token))
        assert (result.code, result.out) == (2, "")
        assert "hold 10,240 characters together" in result.err
        assert f"invoke revoke-token --venue {VENUE} --all" in result.err
        assert on_the_role(issuer) == ["filler"]
        revoke(kit, "--all")
        assert not works(issuer, token)

    def test_superseded_revocations_are_removed_for_space(self, issuer: Kit, kit: Kit) -> None:
        [old] = issue(issuer, "bob")
        role = issuer.root().role(ROLE)
        assert role is not None
        name = denies.policy_name(datetime.now(timezone.utc) + timedelta(hours=12), "0" * 8)
        long = denies.deny(denies.Revocation(session="x" * 9_800), role.role_id)
        denies.write_inline(issuer.root(), ROLE, name, long)
        assert kit("revoke-token", "--venue", VENUE, "--user", "bob").code == 2
        revoke(kit, "--all")
        assert name in on_the_role(issuer)
        [new] = issue(issuer, "bob")
        document = json.loads(revoke(kit, "--session", name_of(new), "--json").out)
        assert document["pruned"] == [name]
        assert (works(issuer, old), works(issuer, new)) == (False, False)
        revoke(kit, "--all")


class TestCommand:
    def test_revocation_is_recorded(self, issuer: Kit, kit: Kit) -> None:
        [token] = issue(issuer, "bob")
        issuer.done("revoke-token", "--venue", VENUE, "--session", name_of(token), "--reason", "laptop lost")
        [found] = [
            each
            for each in issuer.done("tokens", "--json", "--user", "bob").document()["tokens"]
            if each["role_session_name"] == name_of(token)
        ]
        assert found["state"] == "revoked"
        lines = (issuer.work_directory / "ledger.jsonl").read_text().splitlines()
        entered, proof = (json.loads(line) for line in lines[-2:])
        assert (proof["kind"], proof["proof_session_names"]) == ("proof", [name_of(token)])
        assert (entered["kind"], entered["revokes"], entered["reason"]) == ("revocation", "session", "laptop lost")
        assert entered["policy"] in on_the_role(issuer)

    def test_unwritable_ledger_does_not_stop_a_revocation(self, issuer: Kit, kit: Kit) -> None:
        [token] = issue(issuer, "bob")
        (kit.work_directory / "ledger.jsonl").mkdir(parents=True)
        result = kit("revoke-token", "--venue", VENUE, "--session", name_of(token))
        assert result.code == 6
        assert "is in force, but it could not be recorded in the ledger" in result.err
        assert not works(issuer, token)

    def test_revocation_without_a_proof_is_a_warning(self, issuer: Kit, kit: Kit, proxy: Proxy) -> None:
        [token] = issue(issuer, "bob")
        kit.write_inventory({VENUE: as_if_real(proxy.url)})
        proxy.refusals["AssumeRole"] = ("AccessDenied", "not you")
        result = revoke(kit, "--session", name_of(token))
        assert "the revocation is not proved: no token could be issued to try" in result.err
        assert not works(issuer, token)

    def test_missing_rights_are_explained(self, issuer: Kit, kit: Kit, proxy: Proxy) -> None:
        kit.write_inventory({VENUE: as_if_real(proxy.url)})
        proxy.refusals["PutRolePolicy"] = ("AccessDenied", "not you")
        result = kit("revoke-token", "--venue", VENUE, "--all")
        assert (result.code, result.out) == (5, "")
        assert f"error: {VENUE}: AWS refused iam:PutRolePolicy: not you" in result.err
        assert f"revoking requires a provisioner's rights: invoke operator-policy --venue {VENUE}" in result.err
        assert on_the_role(issuer) == []

    @pytest.mark.parametrize(
        ("flags", "said"),
        [
            ((), "which tokens?"),
            (("--all", "--user", "bob"), "--user and --all exclude each other"),
            (("--list", "--undo", "x"), "exclude each other"),
            (("--session", "a*"), "must be 2 to 64 ASCII letters"),
            (("--user", "al?ce"), "must be 2 to 64 ASCII letters"),
            (("--undo", "foreign"), "has no revocation 'foreign'"),
        ],
    )
    def test_contradicting_flags_are_refused(self, issuer: Kit, kit: Kit, flags: tuple[str, ...], said: str) -> None:
        result = kit("revoke-token", "--venue", VENUE, *flags)
        assert (result.code, result.out) == (2, "")
        assert said in result.err
        assert on_the_role(issuer) == []

    def test_dry_run_revokes_nothing(self, issuer: Kit, kit: Kit) -> None:
        assert kit.done("--dry", "revoke-token", "--venue", VENUE, "--all").err == "would revoke everybody's tokens\n"
        assert on_the_role(issuer) == []

    def test_unprovisioned_venue_is_reported(self, kit: Kit, venue: str, issuer: Kit) -> None:
        bare = Kit(kit.folder, issuer.work_directory)
        bare.write_inventory({venue: emulated(venue)})
        result = bare("revoke-token", "--venue", venue, "--all")
        assert result.code == 2
        assert f"{venue} is not provisioned" in result.err
