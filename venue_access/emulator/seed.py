"""The emulated accounts of an inventory: where they are, and the resources that accounts at AWS already have.

These are the operator's role, the buckets and the platform's permissions boundaries, and what ``emulator_seed`` adds.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from venue_access.aws.client import AwsClient, Credentials, Endpoint
from venue_access.emulator.server import aws_emulator
from venue_access.errors import AwsError, UsageError
from venue_access.files import write_private
from venue_access.inventory.model import EMULATOR_OPERATOR_ROLE, Venue
from venue_access.policies.documents import Policy, listed
from venue_access.policies.operator import operator_policy
from venue_access.sensitive import Secret

PLATFORM_BOUNDARIES = ("mcp-tenantOperator-AMI-APIG", "zsmce-tenantOperator-AMI-APIG")
"""The permissions boundaries that the platform's accounts have."""


class EmulatedAccounts:
    """The accounts of an inventory's emulated venues.

    :param venues: all venues of the inventory.
    :param say: reports that the emulator was started.
    :param dry: neither start the emulator nor seed it.
    """

    def __init__(
        self, work_directory: Path, venues: Iterable[Venue], say: Callable[[str], None], *, dry: bool = False
    ) -> None:
        self._server = aws_emulator(work_directory)
        self._venues = [venue for venue in venues if venue.emulator]
        self._say = say
        self._dry = dry
        self._starting = threading.Lock()

    def endpoint(self, venue: Venue) -> Endpoint:
        """Return the emulator's endpoint, which a venue's ``aws_endpoint_url`` may override."""
        endpoint = self._server.endpoint()
        return endpoint if venue.aws_endpoint_url is None else replace(endpoint, url=venue.aws_endpoint_url)

    def root_credentials(self, account_id: str) -> Credentials:
        """Return the credentials of an account's root: MiniStack accepts the account's number as its access key."""
        return Credentials(account_id, Secret("test"))

    def is_running(self) -> bool:
        """Return whether the emulator runs."""
        return self._server.is_running()

    def start(self) -> bool:
        """Start the emulator unless it runs, and seed it; return whether this call started it.

        :raises UsageError: it does not run, and ``dry`` forbids to start it.
        """
        if self._dry:
            if not self._server.is_running():
                raise UsageError("the AWS emulator is down, and --dry does not start it", hint="run: invoke local.up")
            return False
        with self._starting:
            started = self._server.up()
            if started:
                self._say(f"started the AWS emulator at {self._server.endpoint().url}")
            self._seed()
        return started

    def _seed(self) -> None:
        """Create what is missing, unless this was done for the same venues since the server started."""
        wanted = [
            {
                "account": venue.account_id,
                "region": venue.region,
                "buckets": [*(venue.s3_buckets or ()), *(bucket for bucket, _ in _kit_buckets(venue))],
                "boundaries": _boundaries(venue),
                "policy": _operator_policy(venue),
            }
            for venue in self._venues
        ]
        fingerprint = hashlib.sha256(json.dumps(wanted, sort_keys=True).encode()).hexdigest()
        with suppress(FileNotFoundError, ValueError):
            if self._server.seeded.read_text(encoding="ascii") == fingerprint:
                return
        for account_id in {venue.account_id for venue in self._venues}:
            venues = [venue for venue in self._venues if venue.account_id == account_id]
            root = AwsClient(
                region=venues[0].region,
                credentials=self.root_credentials(account_id),
                endpoint=self._server.endpoint(),
            )
            _seed_operator(venues, root)
            for venue in venues:
                _seed_venue(venue, root.in_region(venue.region))
        write_private(self._server.seeded, fingerprint)


def _seed_operator(venues: Sequence[Venue], root: AwsClient) -> None:
    """Create an account's operator role, with the permissions that its venues need."""
    account = f"arn:{venues[0].partition}:iam::{venues[0].account_id}:root"
    trust = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"AWS": account}, "Action": "sts:AssumeRole"}],
    }
    operator = EMULATOR_OPERATOR_ROLE
    root.ensure("iam", "create_role", RoleName=operator, AssumeRolePolicyDocument=json.dumps(trust))
    names = ",".join(sorted(venue.name for venue in venues))
    root.call(
        "iam",
        "put_role_policy",
        RoleName=operator,
        PolicyName=venues[0].name if len(venues) == 1 else hashlib.sha256(names.encode()).hexdigest()[:32],
        PolicyDocument=json.dumps(_merged([_operator_policy(venue) for venue in venues])),
    )


def _operator_policy(venue: Venue) -> dict[str, Any]:
    """Return ``operator_policy`` with what MiniStack needs besides.

    It authorizes creating a policy against ``*``, and a role by its ARN without a path.
    """
    policy = operator_policy(venue)
    without_path = operator_policy(replace(venue, role_path="/"))["Statement"] if venue.role_path != "/" else []
    create = {"Effect": "Allow", "Action": "iam:CreatePolicy", "Resource": "*"}
    without_sids = [{key: value for key, value in each.items() if key != "Sid"} for each in without_path]
    return {**policy, "Statement": [*policy["Statement"], *without_sids, create]}


def _merged(policies: Sequence[Policy]) -> Policy:
    """Return one policy that allows what all of them do: statements that differ only in their resources, once.

    MiniStack reads every policy of a caller at each call: two hundred of them would make it ten times slower.
    """
    resources: dict[str, dict[str, None]] = {}
    for statement in (each for policy in policies for each in policy["Statement"]):
        rest = json.dumps({key: value for key, value in statement.items() if key not in ("Sid", "Resource")})
        resources.setdefault(rest, {}).update(dict.fromkeys(listed(statement["Resource"])))
    statements = [{**json.loads(rest), "Resource": list(of_rest)} for rest, of_rest in resources.items()]
    return {"Version": "2012-10-17", "Statement": statements}


def _seed_venue(venue: Venue, root: AwsClient) -> None:
    for boundary in _boundaries(venue):
        name = boundary.rsplit("/", 1)[1]
        path = boundary.split(":policy", 1)[1].removesuffix(name)
        widest = {"Effect": "Allow", "Action": ["s3:*", "ecr:*", "kms:*"], "Resource": "*"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [widest]})
        root.ensure("iam", "create_policy", PolicyName=name, Path=path, PolicyDocument=document)
    for bucket in venue.s3_buckets or ():
        _seed_bucket(root, bucket, venue.region)
    for bucket, region in _kit_buckets(venue):
        _seed_bucket(root, bucket, region)
        versions = {"Status": "Enabled"}
        root.in_region(region).call("s3", "put_bucket_versioning", Bucket=bucket, VersioningConfiguration=versions)


def _boundaries(venue: Venue) -> list[str]:
    """Return the ARNs of the permissions boundaries in a venue's account: the platform's, and those in its seed.

    Not the one that the venue asks for: a misspelt one would then exist.
    """
    seeded = () if venue.emulator_seed is None else venue.emulator_seed.permissions_boundaries
    return [venue.arn_of_policy(name) for name in (*PLATFORM_BOUNDARIES, *seeded)]


def _kit_buckets(venue: Venue) -> list[tuple[str, str]]:
    """Return the buckets that hold the kit's own data, each with its region."""
    found = []
    if venue.state.bucket is not None:
        found.append((venue.state.bucket, venue.state.region or venue.region))
    if venue.ledger is not None:
        found.append((venue.ledger.bucket, venue.ledger.region))
    return found


def _seed_bucket(root: AwsClient, bucket: str, region: str) -> None:
    # us-east-1 is the one region that must not be named (S3 API reference, CreateBucket).
    where = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    try:
        root.ensure("s3", "create_bucket", Bucket=bucket, **where)
    except AwsError as error:
        if error.code == "BucketAlreadyExists":
            raise AwsError(
                f"bucket {bucket} belongs to another account of this inventory", hint="S3 bucket names are global"
            ) from error
        raise
