"""Every row of the matrix, tried with a token of a venue's role on the AWS emulator, which enforces IAM.

The role is made from the documents that Terraform receives; ``test_terraform_module.py`` shows that it applies them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.functional.probes import EMULATOR_MISJUDGES, Row, matrix, probe, resources
from tests.stacks import a_venue, some_ids
from venue_access.aws.client import Endpoint
from venue_access.emulator.server import AwsEmulator
from venue_access.inventory.model import emulator_operator_arn
from venue_access.policies.documents import managed_policies, trust_policy

BUCKET = "unity-dev-data"
OPERATOR = emulator_operator_arn("111122223333")
# The emulator's aws:PrincipalArn of a session is its own ARN; the inventory adds this pattern for emulator venues.
SESSIONS = OPERATOR.replace(":iam:", ":sts:").replace(":role/", ":assumed-role/") + "/*"
VENUE = a_venue(trusted_principals=(OPERATOR, SESSIONS))
IDS = some_ids(VENUE, rotating=True)
ARNS = resources(VENUE, BUCKET)
ROWS = [row for row in matrix() if row.given is None]


class Session:
    """Clients of the AWS emulator for one set of keys, closed by the ``closing`` stack."""

    def __init__(
        self, endpoint: Endpoint, closing: ExitStack, access_key: str, secret_key: str, token: str | None = None
    ) -> None:
        self._endpoint = endpoint
        self._closing = closing
        # Its type knows a service only by a literal name.
        self._session: Any = boto3.Session(access_key, secret_key, token, region_name=VENUE.region)

    def client(self, service: str) -> Any:
        client = self._session.client(
            service,
            endpoint_url=self._endpoint.url,
            verify=str(self._endpoint.ca_file),
            config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}),
        )
        self._closing.callback(client.close)
        return client

    def assume(self, role_arn: str, **request: str) -> Session:
        assumed = self.client("sts").assume_role(RoleArn=role_arn, RoleSessionName="probe", **request)
        keys = assumed["Credentials"]
        return Session(
            self._endpoint, self._closing, keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"]
        )


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """The root of the venue's account on an AWS emulator of these tests' own."""
    local = AwsEmulator(tmp_path_factory.mktemp("aws"))
    local.up()
    try:
        with ExitStack() as closing:  # a connection left open holds the server for half a minute
            yield Session(local.endpoint(), closing, VENUE.account_id, "test")
    finally:
        local.down()


@pytest.fixture(scope="module")
def operator(root: Session) -> Session:
    """A session of the operator's role, with the venue provisioned."""
    _make_role(root)
    _make_surroundings(root)
    return root.assume(OPERATOR)


@pytest.fixture(scope="module")
def venue_token_clients(operator: Session) -> dict[str, Any]:
    """Clients, by service, made from a token of the venue's role."""
    token = operator.assume(VENUE.role_arn, ExternalId=IDS.current.reveal())
    return {service: token.client(service) for service in {row.service for row in ROWS}}


def _make_role(root: Session) -> None:
    iam = root.client("iam")
    iam.create_role(RoleName=VENUE.role_name, AssumeRolePolicyDocument=json.dumps(trust_policy(VENUE, IDS)))
    for service, policy in managed_policies(VENUE, [BUCKET]).items():
        iam.create_policy(PolicyName=VENUE.policy_name(service), PolicyDocument=json.dumps(policy))
        iam.attach_role_policy(RoleName=VENUE.role_name, PolicyArn=VENUE.policy_arn(service))


def _make_surroundings(root: Session) -> None:
    iam, s3 = root.client("iam"), root.client("s3")
    open_to_all = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:aws:iam::{VENUE.account_id}:root"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
    everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    for role in (OPERATOR.rpartition("/")[2], ARNS["other_role"].rpartition("/")[2]):
        iam.create_role(RoleName=role, AssumeRolePolicyDocument=json.dumps(open_to_all))
        iam.put_role_policy(RoleName=role, PolicyName="all", PolicyDocument=json.dumps(everything))
    for name in ("own_object", "other_object", "neighbour_object"):
        bucket, _, key = ARNS[name].rpartition(":")[2].partition("/")
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": VENUE.region})
        s3.put_object(Bucket=bucket, Key=key, Body=b"probe")
    root.client("ssm").put_parameter(Name=VENUE.external_id_parameter, Value="probe", Type="SecureString")


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_token_permissions_match_matrix(row: Row, venue_token_clients: dict[str, Any]) -> None:
    if row.expected == "allowed" and row.action in EMULATOR_MISJUDGES:
        pytest.skip("the AWS emulator holds this action against *, not against the repository")
    assert probe(row, venue_token_clients, ARNS) == row.expected


@pytest.mark.parametrize("external_id", [{"ExternalId": "unity-dev:current"}, {"ExternalId": "unity-dev:pending"}])
def test_either_external_id_is_accepted_during_a_rotation(operator: Session, external_id: dict[str, str]) -> None:
    operator.assume(VENUE.role_arn, **external_id)


@pytest.mark.parametrize("external_id", [{}, {"ExternalId": "unity-ops:current"}, {"ExternalId": "unity-dev:*"}])
def test_other_or_missing_external_id_is_refused(operator: Session, external_id: dict[str, str]) -> None:
    with pytest.raises(ClientError, match="AccessDenied"):
        operator.assume(VENUE.role_arn, **external_id)


def test_other_principals_of_the_account_are_refused(root: Session, operator: Session) -> None:
    somebody_else = root.assume(ARNS["other_role"])
    with pytest.raises(ClientError, match="AccessDenied"):
        somebody_else.assume(VENUE.role_arn, ExternalId=IDS.current.reveal())
