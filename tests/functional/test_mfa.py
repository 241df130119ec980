"""Permissions that hold only with MFA, and a venue that demands it, on an AWS whose sessions carry MFA."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.functional.kit import ACCOUNT, REGION, Kit, Result
from tests.functional.mfa_aws import CODE, mfa_aws
from venue_access.aws.client import AwsClient, Credentials, Endpoint
from venue_access.errors import AccessDenied, AwsError
from venue_access.policies.documents import ExternalIds, trust_policy
from venue_access.sensitive import ExternalId, Secret

EXTERNAL_ID = "chosen-by-the-venue"


@dataclass(frozen=True)
class Issuer:
    """An IAM user with a device, whose only policy is what ``operator-policy --require-mfa`` prints."""

    kit: Kit
    endpoint: Endpoint
    user: AwsClient
    serial: str

    def issue(self, operator: AwsClient) -> Result:
        arguments = ("issue-token", "--user", "alice", "--external-id", "-")
        return self.kit(*arguments, typed=EXTERNAL_ID, timeout=60, **operator.credentials().environment())

    def session(self, code: str = CODE) -> AwsClient:
        answer = self.user.call("sts", "get_session_token", SerialNumber=self.serial, TokenCode=code)["Credentials"]
        return self.user.with_credentials(
            Credentials(answer["AccessKeyId"], Secret(answer["SecretAccessKey"]), Secret(answer["SessionToken"]))
        )


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Issuer]:
    folder = tmp_path_factory.mktemp("mfa")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with mfa_aws(folder, port) as endpoint:
        kit = Kit(folder, folder / "work")
        kit.write_inventory({"unity-dev": _venue(endpoint)})
        root = AwsClient(region=REGION, credentials=Credentials(ACCOUNT, Secret("test")), endpoint=endpoint)
        _wait_for(endpoint)
        root.call("iam", "create_user", UserName="jbrowne")
        policy = kit.done("operator-policy", "--issue-only", "--require-mfa").out
        root.call("iam", "put_user_policy", UserName="jbrowne", PolicyName="issuer", PolicyDocument=policy)
        made = root.call("iam", "create_virtual_mfa_device", VirtualMFADeviceName="jbrowne")
        serial = made["VirtualMFADevice"]["SerialNumber"]
        root.call(
            *("iam", "enable_mfa_device"),
            UserName="jbrowne",
            SerialNumber=serial,
            AuthenticationCode1=CODE,
            AuthenticationCode2="654321",
        )
        key = root.call("iam", "create_access_key", UserName="jbrowne")["AccessKey"]
        user = root.with_credentials(Credentials(key["AccessKeyId"], Secret(key["SecretAccessKey"])))
        _make_role(kit, root)
        yield Issuer(kit, endpoint, user, serial)


def _venue(endpoint: Endpoint) -> dict[str, object]:
    return {
        "project": "unity",
        "account_id": ACCOUNT,
        "region": REGION,
        "s3_buckets": ["unity-dev-data"],
        "aws_endpoint_url": endpoint.url,
        "require_mfa": True,
        "trusted_principals": [f"arn:aws:iam::{ACCOUNT}:user/jbrowne"],
    }


def _make_role(kit: Kit, root: AwsClient) -> None:
    """As ``provision`` does, with the Python twin of the module's trust policy."""
    from venue_access.inventory.loader import load_inventory
    from venue_access.inventory.venues import build_venues

    venue = build_venues(load_inventory(kit.inventory))["unity-dev"]
    trust = json.dumps(trust_policy(venue, ExternalIds(ExternalId(EXTERNAL_ID))))
    root.call("iam", "create_role", RoleName=venue.role_name, AssumeRolePolicyDocument=trust)
    root.call("ssm", "put_parameter", Name=venue.external_id_parameter, Value=EXTERNAL_ID, Type="SecureString")


def _wait_for(endpoint: Endpoint) -> None:
    host, port = endpoint.url.rpartition("/")[2].split(":")
    for _ in range(300):
        with socket.socket() as attempt:
            if attempt.connect_ex((host, int(port))) == 0:
                return
        time.sleep(0.1)
    raise TimeoutError(endpoint.url)


def test_permissions_require_mfa(issuer: Issuer) -> None:
    bare = issuer.user.call("sts", "get_session_token")["Credentials"]
    without = issuer.user.with_credentials(
        Credentials(bare["AccessKeyId"], Secret(bare["SecretAccessKey"]), Secret(bare["SessionToken"]))
    )
    for aws in (issuer.user, without):
        with pytest.raises(AccessDenied):
            aws.parameter("/unity/unity/dev/cs/sts/role/external-id")


def test_wrong_code_is_refused(issuer: Issuer) -> None:
    with pytest.raises(AwsError, match="invalid MFA"):
        issuer.session("000000")


def test_permissions_with_mfa(issuer: Issuer) -> None:
    found = issuer.session().parameter("/unity/unity/dev/cs/sts/role/external-id")
    assert found is not None
    assert found.value == ExternalId(EXTERNAL_ID)


def test_venue_that_requires_mfa_refuses_sessions_without_it(issuer: Issuer) -> None:
    issued = issuer.issue(issuer.session())
    assert issued.code == 0, issued.err
    assert ":assumed-role/unity-unity-dev-sts/alice-" in issued.document()["AssumedRoleUser"]["Arn"]
    refused = issuer.issue(issuer.user)
    assert (refused.code, refused.out) == (5, "")
    assert "the role requires MFA, which an access key alone never carries" in refused.err
