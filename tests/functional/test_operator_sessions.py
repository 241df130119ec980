"""Sessions through ``operator_role_arn``: named after the person, taken once an account, renewed in long runs."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from tests.functional.kit import ACCOUNT, OTHER_ACCOUNT, REGION, Kit, emulated, new_venue
from tests.functional.lagging_iam import Answered, LaggingIam
from tests.functional.operators import remote
from tests.functional.proxy import Proxy
from venue_access.aws.client import Credentials
from venue_access.inventory.model import emulator_operator_arn
from venue_access.sensitive import Secret


@pytest.fixture
def seeded(kit: Kit) -> Kit:
    """The emulator with an operator's role in two accounts."""
    names = {new_venue(): ACCOUNT, new_venue(): OTHER_ACCOUNT}
    kit.write_inventory({name: emulated(name, account_id=account) for name, account in names.items()})
    kit.done("local.up")
    return kit


def use(kit: Kit, keys: Credentials) -> None:
    kit.environment |= keys.environment()


def operator_of(kit: Kit) -> str:
    """The ARN with which the kit works, as ``doctor`` shows it."""
    (checks,) = kit("doctor", "--json").document().values()
    (found,) = [each for each in checks if ":assumed-role/" in json.dumps(each)]
    return str(re.findall(r"arn:[^ ,;\"]+", json.dumps(found))[0])


def iam_user(kit: Kit, name: str) -> Credentials:
    """Long-term keys of a user who may assume the operator's role."""
    root = kit.root()
    root.ensure("iam", "create_user", UserName=name)
    allowed = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    root.call("iam", "put_user_policy", UserName=name, PolicyName="operate", PolicyDocument=policy)
    made = root.call("iam", "create_access_key", UserName=name)["AccessKey"]
    return Credentials(made["AccessKeyId"], Secret(made["SecretAccessKey"]))


def portal_session(kit: Kit, name: str) -> Credentials:
    """Keys as an account portal gives them."""
    root = kit.root()
    trust = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    root.ensure("iam", "create_role", RoleName="portal", AssumeRolePolicyDocument=document)
    allowed = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    root.call("iam", "put_role_policy", RoleName="portal", PolicyName="operate", PolicyDocument=policy)
    return root.assume_role(f"arn:aws:iam::{ACCOUNT}:role/portal", name).credentials


@pytest.mark.parametrize(("keys_of", "name"), [(iam_user, "alice"), (portal_session, "bob@example.org")])
def test_session_is_named_after_operator(
    seeded: Kit, proxy: Proxy, keys_of: Callable[[Kit, str], Credentials], name: str
) -> None:
    venue = new_venue()
    use(seeded, keys_of(seeded, name))
    seeded.write_inventory({venue: remote(venue, proxy)})
    assert operator_of(seeded) == f"arn:aws:sts::{ACCOUNT}:assumed-role/venue-access-operator/{name}"


def test_unassumable_role_is_tried_and_reported_once(seeded: Kit, proxy: Proxy) -> None:
    use(seeded, iam_user(seeded, "carol"))
    gone = f"arn:aws:iam::{ACCOUNT}:role/gone"
    names = [new_venue() for _ in range(5)]
    seeded.write_inventory({name: remote(name, proxy, operator_role_arn=gone) for name in names})
    result = seeded("status")
    assert result.code == 5
    assert result.err.count("error: ") == 1
    assert f"operator_role_arn: cannot assume {gone} with your credentials" in result.err
    assert proxy.calls.count("AssumeRole") == 1


def test_accounts_run_concurrently(seeded: Kit, proxy: Proxy, tmp_path: Any) -> None:
    accounts = (ACCOUNT, OTHER_ACCOUNT)
    config = tmp_path / "config"
    config.write_text(
        "".join(f"[profile p{each}]\naws_access_key_id = {each}\naws_secret_access_key = test\n" for each in accounts)
    )
    seeded.environment["AWS_CONFIG_FILE"] = str(config)
    names = {new_venue(): account for account in accounts}
    seeded.write_inventory(
        {
            name: remote(
                name,
                proxy,
                account_id=account,
                aws_profile=f"p{account}",
                operator_role_arn=emulator_operator_arn(account),
                trusted_principals=[f"arn:aws:iam::{account}:root"],
            )
            for name, account in names.items()
        }
    )
    both = threading.Barrier(2, timeout=8)  # less than the kit waits for an answer

    def meet(operation: str) -> None:
        if operation == "AssumeRole":
            both.wait()

    proxy.before_call = meet
    seeded("status")
    assert proxy.calls.count("AssumeRole") == 2
    assert not both.broken


class ShortSessions(LaggingIam):
    """STS whose sessions of the operator's role end in 20 minutes: too soon for Terraform."""

    def answer(self, operation: str, headers: dict[str, str], body: bytes, forward: Callable[[], Answered]) -> Answered:
        status, answered, content = forward()
        if operation == "AssumeRole" and b"venue-access-operator" in body:
            end = datetime.now(timezone.utc) + timedelta(minutes=20)
            text = f"<Expiration>{end:%Y-%m-%dT%H:%M:%SZ}</Expiration>"
            content = re.sub(rb"<Expiration>[^<]+</Expiration>", text.encode(), content)
        return status, answered, content


@pytest.mark.soak
def test_each_terraform_start_has_a_new_session(seeded: Kit, proxy: Proxy) -> None:
    venue = new_venue()
    use(seeded, iam_user(seeded, "dora"))
    seeded.write_inventory({venue: emulated(venue)})
    seeded.done("local.up")
    seeded.write_inventory({venue: remote(venue, proxy)})
    proxy.lagging = ShortSessions(0)
    sessions = []

    def note(operation: str) -> None:
        sessions.append(operation)

    proxy.before_call = note
    seeded.done("provision", "--venue", venue)
    # The first, then one for each of init, plan and apply; and three of the venue's own role, which prove its guard.
    assert sessions.count("AssumeRole") == 1 + 3 + 3
    assert seeded.root(region=REGION).role(f"unity-{venue}-sts") is not None
