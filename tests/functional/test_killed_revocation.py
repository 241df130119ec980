"""A ``revoke-token`` that is killed between AWS and the ledger, and one for somebody who is probably a slip."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.functional.kit import Kit
from tests.functional.ledgers import alone, lines, through
from tests.functional.proxy import Proxy
from venue_access.errors import AccessDenied
from venue_access.policies.revocation import inline_names, remove_inline

ROLE = "unity-shared-dev-sts"


@pytest.fixture
def kit(provisioned: tuple[Kit, str], proxy: Proxy, tmp_path: Path) -> Iterator[Kit]:
    """The provisioned venue, which lists alice and bob, through a proxy, with an empty ledger and nothing revoked."""
    remove_revocations(provisioned)  # of other tests
    yield through(proxy, alone(provisioned, tmp_path))
    remove_revocations(provisioned)


def remove_revocations(provisioned: tuple[Kit, str]) -> None:
    for name in on_the_role(provisioned):
        remove_inline(provisioned[0].root(), ROLE, name)


def on_the_role(provisioned: tuple[Kit, str]) -> list[str]:
    return inline_names(provisioned[0].root(), ROLE)[0]


def killed_after(operation: str, kit: Kit, proxy: Proxy, *flags: str) -> None:
    """Run ``revoke-token``, and kill it when AWS has carried out an operation and before it hears of it."""

    def kill(number: int, done: str) -> None:
        if done == operation:
            os.killpg(process.pid, signal.SIGKILL)

    proxy.after_write = kill
    with kit.start("revoke-token", *flags) as process:
        process.communicate(timeout=60)
    proxy.after_write = lambda number, done: None
    assert process.returncode == -signal.SIGKILL


def revocations(kit: Kit) -> list[tuple[str, str]]:
    return [(line["policy"], line["revokes"]) for line in lines(kit) if line["kind"] == "revocation"]


def works(provisioned: tuple[Kit, str], token: dict[str, Any]) -> bool:
    try:
        provisioned[0].session(token).call("s3", "list_objects_v2", Bucket="shared-dev-data")
    except AccessDenied:
        return False
    return True


def state(kit: Kit, token: dict[str, Any]) -> str:
    name = token["AssumedRoleUser"]["Arn"].rsplit("/", 1)[1]
    found = kit.done("tokens", "--json").document()["tokens"]
    return str(next(each["state"] for each in found if each["role_session_name"] == name))


def test_killed_session_revocation_resumes_with_one_policy_and_record(
    provisioned: tuple[Kit, str], kit: Kit, proxy: Proxy
) -> None:
    token = kit.done("issue-token", "--user", "alice").document()
    session = token["AssumedRoleUser"]["Arn"].rsplit("/", 1)[1]
    killed_after("PutRolePolicy", kit, proxy, "--session", session)
    first = on_the_role(provisioned)
    assert (len(first), revocations(kit), state(kit, token)) == (1, [], "live")
    for _ in range(2):
        document = kit.done("revoke-token", "--session", session, "--json").document()
        assert (document["revoked"]["name"], document["proved"]) == (first[0], True)
        assert on_the_role(provisioned) == first
        assert revocations(kit) == [(first[0], "session")]
    assert (works(provisioned, token), state(kit, token)) == (False, "revoked")


@pytest.mark.parametrize("flags", [("--user", "alice"), pytest.param(("--all",), marks=pytest.mark.soak)])
def test_killed_user_revocation_is_replaced_by_a_newer_one(
    flags: tuple[str, ...], provisioned: tuple[Kit, str], kit: Kit, proxy: Proxy
) -> None:
    old = kit.done("issue-token", "--user", "alice").document()
    killed_after("PutRolePolicy", kit, proxy, *flags)
    [first] = on_the_role(provisioned)
    between = kit.done("issue-token", "--user", "alice").document()
    document = kit.done("revoke-token", *flags, "--json", "--reason", "again").document()
    [second] = on_the_role(provisioned)
    assert document["revoked"]["name"] == second != first
    assert document["pruned"] == [first]
    assert [works(provisioned, token) for token in (old, between)] == [False, False]
    scope = "user" if flags[0] == "--user" else "all"
    assert revocations(kit) == [(first, scope), (second, scope), (first, "undo")]
    reasons = [line["reason"] for line in lines(kit) if line["kind"] == "revocation"]
    assert reasons == ["found on the role without a record", "again", f"replaced by {second}"]
    assert [state(kit, token) for token in (old, between)] == ["revoked", "revoked"]
    kit.done("revoke-token", "--undo", second)
    assert [works(provisioned, token) for token in (old, between)] == [True, True]
    assert [state(kit, token) for token in (old, between)] == ["live", "live"]


def test_later_run_records_what_a_killed_one_left(provisioned: tuple[Kit, str], kit: Kit, proxy: Proxy) -> None:
    token = kit.done("issue-token", "--user", "alice").document()
    killed_after("PutRolePolicy", kit, proxy, "--user", "alice")
    [first] = on_the_role(provisioned)
    second = kit.done("revoke-token", "--user", "bob", "--json").document()["revoked"]["name"]
    assert sorted(on_the_role(provisioned)) == sorted([first, second])
    assert revocations(kit) == [(first, "user"), (second, "user")]
    assert state(kit, token) == "revoked"


def test_killed_undo_is_recorded_by_the_next_run(provisioned: tuple[Kit, str], kit: Kit, proxy: Proxy) -> None:
    token = kit.done("issue-token", "--user", "alice").document()
    name = kit.done("revoke-token", "--user", "alice", "--json").document()["revoked"]["name"]
    killed_after("DeleteRolePolicy", kit, proxy, "--undo", name)
    assert (on_the_role(provisioned), state(kit, token)) == ([], "revoked")
    assert works(provisioned, token)
    assert "is no longer on the role" in kit.done("revoke-token", "--undo", name).err
    assert state(kit, token) == "live"
    assert kit("revoke-token", "--undo", name).code == 2


def test_unknown_or_misspelt_user_is_refused(provisioned: tuple[Kit, str], kit: Kit, proxy: Proxy) -> None:
    session = kit.done("issue-token", "--user", "stranger").document()["AssumedRoleUser"]["Arn"].rsplit("/", 1)[1]
    proxy.forget()
    for flags, meant in (
        (("--user", "bbo"), "bob"),
        (("--user", "ALICE"), "alice"),
        (("--user", "alice@exmaple.org"), "alice"),
        (("--user", "strangr"), "stranger"),
        (("--session", session[:-1]), session),
    ):
        for dry in ((), ("--dry",)):
            refused = kit(*dry, "revoke-token", *flags)
            assert (refused.code, refused.out) == (2, ""), refused.err
            assert f"(did you mean {meant!r}?)" in refused.err
            assert "pass --yes" in refused.err
    assert "PutRolePolicy" not in proxy.calls
    for flag, unknown in (("--user", "bbo"), ("--user", "zoe"), ("--session", "unityuser12252025")):
        revoked = kit.done("revoke-token", flag, unknown, "--yes", "--json")
        assert f"the ledger has no token of {unknown}" in revoked.err
        assert "proved: a token of that kind" not in revoked.err
        assert json.loads(revoked.out)["proved"] is False
    # The inventory knows bob, though this ledger has no token of his.
    assert "the ledger has no token of bob" in kit.done("revoke-token", "--user", "bob").err
    assert "proved: a token of that kind is denied now" in kit.done("revoke-token", "--user", "stranger").err
