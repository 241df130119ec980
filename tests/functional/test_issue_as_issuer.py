"""``invoke issue-token`` with the credentials of an IAM user, as on real AWS."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from tests.functional.issuing import iam_user, ledger, refused, stored_id
from tests.functional.kit import ACCOUNT, OTHER_ACCOUNT, REGION, Kit, emulated
from tests.functional.proxy import Proxy
from tests.functional.template import ISSUER_VARIABLES
from venue_access.aws.client import Credentials
from venue_access.emulator.server import aws_emulator
from venue_access.sensitive import Secret


@pytest.fixture(scope="module")
def issuer_venue(tmp_path_factory: pytest.TempPathFactory, work_directory: Path) -> tuple[Kit, str, str]:
    """A venue as on real AWS, reached with the keys of the environment: it trusts the IAM user ``issuer`` alone."""
    kit, name = Kit(tmp_path_factory.mktemp("issuer"), work_directory), "issuer-dev"
    endpoint = aws_emulator(work_directory).endpoint()
    real = {"emulator": False, "aws_endpoint_url": endpoint.url}
    kit.write_inventory({name: emulated(name, **real, **ISSUER_VARIABLES)})
    kit.environment["AWS_CA_BUNDLE"] = str(endpoint.ca_file)
    return kit, name, f"arn:aws:iam::{ACCOUNT}:role/unity-issuer-dev-sts"


class TestIssuer:
    """An operator with the long-term keys of an IAM user, who may do nothing but assume the role."""

    @pytest.fixture
    def keys(self, issuer_venue: tuple[Kit, str, str]) -> dict[str, str]:
        kit, _, role = issuer_venue
        return iam_user(kit.root(), "issuer", allow={"sts:AssumeRole": role})

    def test_supplied_id_needs_only_assume_role(
        self, issuer_venue: tuple[Kit, str, str], keys: dict[str, str], proxy: Proxy, tmp_path: Path
    ) -> None:
        kit, venue, _ = issuer_venue
        through = Kit(tmp_path, kit.work_directory)
        user = f"arn:aws:iam::{ACCOUNT}:user/issuer"
        through.write_inventory(
            {venue: emulated(venue, emulator=False, aws_endpoint_url=proxy.url, trusted_principals=[user])}
        )
        for _ in range(2):  # AWS is asked each time who calls: an earlier record may be forged
            proxy.forget()
            through.done("issue-token", "--user", "alice", "--external-id", stored_id(kit, venue), **keys)
            assert sorted(proxy.calls) == ["AssumeRole", "GetCallerIdentity"]
        assert [line["operator"] for line in ledger(kit)[-2:]] == [user, user]

    def test_unreadable_stored_id_is_reported_with_remedy(
        self, issuer_venue: tuple[Kit, str, str], keys: dict[str, str]
    ) -> None:
        err = refused(issuer_venue[0], "--user", "alice", code=5, **keys)
        assert "issuer-dev: cannot read its external ID" in err
        assert "supply it with --external-id" in err

    def test_iam_user_gets_role_maximum(self, issuer_venue: tuple[Kit, str, str], keys: dict[str, str]) -> None:
        kit, venue, _ = issuer_venue
        supplied = ("--external-id", stored_id(kit, venue))
        token = kit.done("issue-token", "--user", "alice", "--duration", "2h", *supplied, **keys).document()
        until = datetime.strptime(token["Credentials"]["Expiration"], "%Y-%m-%dT%H:%M:%S%z")
        assert timedelta(minutes=119) < until - datetime.now(timezone.utc) <= timedelta(hours=2)
        err = refused(kit, "--user", "alice", "--duration", "2h1m", *supplied, code=2, **keys)
        assert "more than the role's maximum of 7200 s" in err

    def test_readable_role_maximum_is_used(self, issuer_venue: tuple[Kit, str, str], tmp_path: Path) -> None:
        kit, venue, role = issuer_venue
        keys = iam_user(kit.root(), "reader", allow={"iam:GetRole": role})
        hosts = json.loads(kit.inventory.read_text())["all"]["hosts"]
        hosts[venue]["max_session_duration"] = 43200  # not provisioned
        other = Kit(tmp_path, kit.work_directory)
        other.environment = {**kit.environment, "INVOKE_INVENTORY": str(other.inventory)}
        other.write_inventory(hosts)
        arguments = ("--user", "alice", "--duration", "3h", "--external-id", "any-id")
        assert "maximum of 7200 s" in refused(other, *arguments, code=2, **keys)

    def test_issue_into_another_account(self, issuer_venue: tuple[Kit, str, str]) -> None:
        kit, venue, role = issuer_venue
        keys = iam_user(kit.root(OTHER_ACCOUNT), "abroad", allow={"sts:AssumeRole": role})
        kit.done("issue-token", "--user", "alice", "--external-id", stored_id(kit, venue), **keys)

    def test_credentials_of_another_account_are_reported(self, issuer_venue: tuple[Kit, str, str]) -> None:
        keys = iam_user(issuer_venue[0].root(OTHER_ACCOUNT), "abroad", allow={"ssm:GetParameter": "*"})
        err = refused(issuer_venue[0], "--user", "alice", code=5, **keys)
        assert f"issuer-dev is in account {ACCOUNT}, but your credentials are of account {OTHER_ACCOUNT}" in err

    def test_untrusted_caller_is_reported_at_once(self, issuer_venue: tuple[Kit, str, str]) -> None:
        kit, venue, role = issuer_venue
        parameter = f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/unity/issuer/dev/cs/sts/role/external-id"
        keys = iam_user(kit.root(), "stranger", allow={"sts:AssumeRole": role, "ssm:GetParameter": parameter})
        for supplied in ((), ("--external-id", stored_id(kit, venue))):
            err = refused(kit, "--user", "alice", *supplied, code=5, **keys)
            assert f"arn:aws:iam::{ACCOUNT}:user/stranger is not one of the venue's trusted_principals" in err

    @pytest.mark.parametrize(
        ("keys", "said"),
        [
            ({}, "no AWS credentials found"),
            ({"AWS_PROFILE": "nowhere"}, "your AWS configuration is not usable"),
            ({"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE"}, "your AWS configuration is not usable"),
            (
                Credentials("AKIAIOSFODNN7EXAMPLE", Secret("wrong")).environment(),
                "AWS does not accept your credentials",
            ),
            (
                Credentials("ASIAIOSFODNN7EXAMPLE", Secret("w"), Secret("t")).environment(),
                "AWS does not accept your credentials",
            ),
        ],
    )
    def test_invalid_credentials_are_reported_with_remedy(
        self, keys: dict[str, str], said: str, issuer_venue: tuple[Kit, str, str]
    ) -> None:
        err = refused(issuer_venue[0], "--user", "alice", code=5, **keys)
        assert said in err
        assert "your account portal" in err or "~/.aws/config" in err

    def test_unreachable_endpoint_is_reported(self, issuer_venue: tuple[Kit, str, str], tmp_path: Path) -> None:
        kit, venue, _ = issuer_venue
        away = Kit(tmp_path, kit.work_directory)
        hosts = json.loads(kit.inventory.read_text())["all"]["hosts"]
        away.write_inventory({venue: {**hosts[venue], "aws_endpoint_url": "http://127.0.0.1:9"}})
        keys = Credentials("AKIAIOSFODNN7EXAMPLE", Secret("any")).environment()
        assert "http://127.0.0.1:9 could not be reached" in refused(away, "--user", "alice", code=5, **keys)
