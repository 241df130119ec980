"""Seed the AWS emulator with the resources that accounts at AWS already have.

These are the operator's role, the buckets and the platform's permissions boundaries, and what ``emulator_seed`` adds.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace

from venue_access.aws.client import AwsClient
from venue_access.emulator.server import AwsEmulator, fingerprint
from venue_access.errors import AwsError
from venue_access.files import write_private
from venue_access.inventory.model import EMULATOR_OPERATOR_ROLE, Venue
from venue_access.policies.documents import VERSION, Policy, listed
from venue_access.policies.operator import operator_policy

PLATFORM_BOUNDARIES = ("mcp-tenantOperator-AMI-APIG", "zsmce-tenantOperator-AMI-APIG")
"""The permissions boundaries that the platform's accounts have."""


def seed(emulator: AwsEmulator, venues: Sequence[Venue]) -> None:
    """Create what is missing in the accounts of the emulated venues of an inventory."""
    for account_id in {venue.account_id for venue in venues}:
        of_account = [venue for venue in venues if venue.account_id == account_id]
        root = emulator.root(account_id, of_account[0].region)
        _seed_operator(of_account, root)
        for venue in of_account:
            _seed_venue(venue, root.in_region(venue.region))
    write_private(emulator.seeded, fingerprint(venues))


def _seed_operator(venues: Sequence[Venue], root: AwsClient) -> None:
    """Create an account's operator role, with the permissions that its venues need."""
    account = f"arn:{venues[0].partition}:iam::{venues[0].account_id}:root"
    trust = _policy([{"Effect": "Allow", "Principal": {"AWS": account}, "Action": "sts:AssumeRole"}])
    operator = EMULATOR_OPERATOR_ROLE
    root.ensure("iam", "create_role", RoleName=operator, AssumeRolePolicyDocument=trust)
    # MiniStack reads every policy of a caller at each call: two hundred of them would make it ten times slower.
    # So statements that differ only in their resources are merged.
    resources: dict[str, dict[str, None]] = {}
    for statement in (each for venue in venues for each in _operator_statements(venue)):
        rest = json.dumps({key: value for key, value in statement.items() if key not in ("Sid", "Resource")})
        resources.setdefault(rest, {}).update(dict.fromkeys(listed(statement["Resource"])))
    names = ",".join(sorted(venue.name for venue in venues))
    root.call(
        "iam",
        "put_role_policy",
        RoleName=operator,
        PolicyName=names if len(venues) == 1 else hashlib.sha256(names.encode()).hexdigest()[:32],
        PolicyDocument=_policy([{**json.loads(rest), "Resource": [*of_rest]} for rest, of_rest in resources.items()]),
    )


def _operator_statements(venue: Venue) -> list[Policy]:
    """Return the statements of ``operator_policy``, and what MiniStack needs besides.

    It authorizes creating a policy against ``*``, and a role by its ARN without a path.
    """
    without_path = operator_policy(replace(venue, role_path="/"))["Statement"] if venue.role_path != "/" else []
    create = {"Effect": "Allow", "Action": "iam:CreatePolicy", "Resource": "*"}
    return [*operator_policy(venue)["Statement"], *without_path, create]


def _seed_venue(venue: Venue, root: AwsClient) -> None:
    # Not the boundary that the venue asks for: a misspelt one would then exist.
    seeded = () if venue.emulator_seed is None else venue.emulator_seed.permissions_boundaries
    widest = _policy([{"Effect": "Allow", "Action": ["s3:*", "ecr:*", "kms:*"], "Resource": "*"}])
    for boundary in (venue.arn_of_policy(name) for name in (*PLATFORM_BOUNDARIES, *seeded)):
        name = boundary.rsplit("/", 1)[1]
        path = boundary.split(":policy", 1)[1].removesuffix(name)
        root.ensure("iam", "create_policy", PolicyName=name, Path=path, PolicyDocument=widest)
    for bucket in venue.s3_buckets or ():
        _seed_bucket(root, bucket)
    of_the_kit = [(venue.state.bucket, venue.state.region or venue.region)]
    of_the_kit += [(venue.ledger.bucket, venue.ledger.region)] if venue.ledger is not None else []
    for kit_bucket, region in of_the_kit:
        if kit_bucket is not None:
            there = root.in_region(region)
            _seed_bucket(there, kit_bucket)
            versions = {"Status": "Enabled"}
            there.call("s3", "put_bucket_versioning", Bucket=kit_bucket, VersioningConfiguration=versions)


def _seed_bucket(root: AwsClient, bucket: str) -> None:
    # us-east-1 is the one region that must not be named (S3 API reference, CreateBucket).
    where = {"CreateBucketConfiguration": {"LocationConstraint": root.region}} if root.region != "us-east-1" else {}
    try:
        root.ensure("s3", "create_bucket", Bucket=bucket, **where)
    except AwsError as error:
        if error.code == "BucketAlreadyExists":
            raise AwsError(
                f"bucket {bucket} belongs to another account of this inventory", hint="S3 bucket names are global"
            ) from error
        raise


def _policy(statements: Sequence[Policy]) -> str:
    return json.dumps({"Version": VERSION, "Statement": statements})
