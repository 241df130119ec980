"""The ways to the accounts of an inventory's venues: the operator's own keys, or the AWS emulator.

What exists already in real life (the operator's role, the buckets, the platform's permissions boundaries) is made on
the AWS emulator, for any inventory, with what the inventory's ``emulator_seed`` adds.
"""

from __future__ import annotations

import hashlib
import json
import os
import pwd
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar

from venue_access.aws.client import AssumedRole, AwsClient, Credentials, Endpoint
from venue_access.aws.identity import person, session_name
from venue_access.aws.role_session import RoleSession
from venue_access.emulator.server import AwsEmulator, aws_emulator
from venue_access.errors import AccessDenied, AwsError, Unreachable, UsageError, VenueAccessError
from venue_access.files import write_private
from venue_access.inventory.model import EMULATOR_OPERATOR_ROLE, Venue, emulator_operator_arn
from venue_access.policies.documents import Policy, listed
from venue_access.policies.operator import operator_policy
from venue_access.sensitive import Secret

PLATFORM_BOUNDARIES = ("mcp-tenantOperator-AMI-APIG", "zsmce-tenantOperator-AMI-APIG")
"""The permissions boundaries that the platform's accounts have."""

_T = TypeVar("_T")


class _Once(Generic[_T]):
    """A value that is made when it is first asked for; where that fails, everybody gets the same error."""

    def __init__(self, make: Callable[[], _T]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._made: list[_T] = []
        self._error: VenueAccessError | None = None

    def get(self) -> _T:
        with self._lock:
            if self._error is not None:
                raise self._error
            if not self._made:
                try:
                    self._made.append(self._make())
                except VenueAccessError as error:
                    self._error = error
                    raise
            return self._made[0]


class Accounts:
    """One ``AwsClient`` for each account, region and set of keys, made when it is first asked for.

    Sessions of an operator's role are named after the person who operates, so that AWS and the ledger tell them apart.
    They have no source identity: it would stay on the tokens that are issued through them, as if the operator used
    those, and venues with ``source_identity`` could not set the recipient's, since it cannot be changed (IAM User
    Guide, "Monitor and control actions taken with assumed roles").

    :param said: is told what takes a moment: that the AWS emulator was started.
    :param dry: neither start the AWS emulator nor make anything on it.
    """

    def __init__(
        self,
        venues: Iterable[Venue],
        work_directory: Path,
        said: Callable[[str], None] = lambda text: None,
        *,
        dry: bool = False,
    ) -> None:
        self._emulated = [venue for venue in venues if venue.emulator]
        self._local = aws_emulator(work_directory)
        self._said = said
        self._dry = dry
        self._lock = threading.Lock()
        self._starting = threading.Lock()
        self._made: dict[tuple[str | None, ...], _Once[AwsClient]] = {}
        self._people: dict[tuple[str | None, ...], _Once[str]] = {}

    def aws(self, venue: Venue) -> AwsClient:
        """The way to a venue's account, as its operator.

        :raises Unreachable: the keys do not reach it.
        """
        way = (
            venue.account_id if venue.emulator else None,
            venue.region,
            venue.aws_profile,
            venue.operator_role_arn,
            venue.aws_endpoint_url,
        )
        with self._lock:
            make = self._emulator_operator if venue.emulator else self._operator
            made = self._made.setdefault(way, _Once(partial(make, venue)))
        return made.get()

    def endpoint(self, venue: Venue) -> Endpoint | None:
        """Return where a venue's AWS answers; None for AWS itself."""
        if venue.emulator:
            local = self._local.endpoint()
            return Endpoint(venue.aws_endpoint_url or local.url, local.ca_file)
        return None if venue.aws_endpoint_url is None else Endpoint(venue.aws_endpoint_url)

    def start_emulator(self) -> bool:
        """Start the AWS emulator unless it runs, and make on it what the inventory takes for granted.

        :returns: whether this call started it.
        """
        started = self._local.up()
        if started:
            self._said(f"started the AWS emulator at {self._local.endpoint().url}")
        _seed(self._local, self._emulated)
        return started

    def _emulator_operator(self, venue: Venue) -> AwsClient:
        if not self._dry:
            with self._starting:
                self.start_emulator()
        elif not self._local.is_running():
            raise UsageError("the AWS emulator is down, and --dry starts nothing", hint="run: invoke local.up")
        endpoint = self.endpoint(venue)
        assert endpoint is not None
        root = _root(venue, endpoint)
        operator = emulator_operator_arn(venue.account_id, venue.partition)
        return root.as_role(RoleSession(partial(root.assume_role, operator, session_name(_unix_user()))))

    def _operator(self, venue: Venue) -> AwsClient:
        endpoint = Endpoint(venue.aws_endpoint_url) if venue.aws_endpoint_url else None
        aws = AwsClient(region=venue.region, profile=venue.aws_profile, endpoint=endpoint)
        if venue.operator_role_arn is None:
            return aws
        aws.keys()  # held from now on, so that the ledger redacts them too
        with self._lock:
            same_keys = venue.aws_profile, venue.aws_endpoint_url
            asked = self._people.setdefault(same_keys, _Once(lambda: session_name(person(aws.caller()))))
        return aws.as_role(RoleSession(partial(_assume, aws, venue.operator_role_arn, asked.get())))


def _assume(aws: AwsClient, operator_role_arn: str, name: str) -> AssumedRole:
    try:
        return aws.assume_role(operator_role_arn, name)
    except AccessDenied as error:
        raise Unreachable(
            f"operator_role_arn: {operator_role_arn} cannot be assumed with your keys",
            hint="check that the role exists, and that it trusts you",
            code=error.code,
        ) from error


def _unix_user() -> str:
    """Return who operates an emulator: AWS has no name for them."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container whose user has no name
        return f"uid-{os.getuid()}"


def _root(venue: Venue, endpoint: Endpoint) -> AwsClient:
    """MiniStack takes a 12-digit access key for the root of that account."""
    return AwsClient(region=venue.region, keys=Credentials(venue.account_id, Secret("test")), endpoint=endpoint)


def _seed(local: AwsEmulator, venues: list[Venue]) -> None:
    """Make what is missing, unless this has been done for the same venues since the server started."""
    wanted = [
        {
            "account": venue.account_id,
            "region": venue.region,
            "buckets": [*(venue.s3_buckets or ()), *(bucket for bucket, _ in _own_buckets(venue))],
            "boundaries": _boundaries(venue),
            "policy": _emulator_policy(venue),
        }
        for venue in venues
    ]
    fingerprint = hashlib.sha256(json.dumps(wanted, sort_keys=True).encode()).hexdigest()
    with suppress(FileNotFoundError, ValueError):
        if local.seeded.read_text(encoding="ascii") == fingerprint:
            return
    for account in {venue.account_id for venue in venues}:
        theirs = [venue for venue in venues if venue.account_id == account]
        root = _root(theirs[0], local.endpoint())
        _seed_operator(theirs, root)
        for venue in theirs:
            _seed_venue(venue, root.in_region(venue.region))
    write_private(local.seeded, fingerprint)


def _seed_operator(venues: Sequence[Venue], root: AwsClient) -> None:
    """Make an account's operator, with the rights that its venues need."""
    account = f"arn:{venues[0].partition}:iam::{venues[0].account_id}:root"
    trust = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"AWS": account}, "Action": "sts:AssumeRole"}],
    }
    operator = EMULATOR_OPERATOR_ROLE
    root.ensure("iam", "create_role", RoleName=operator, AssumeRolePolicyDocument=json.dumps(trust))
    # MiniStack reads every policy of a caller at each call: two hundred of them would make it ten times slower.
    names = ",".join(sorted(venue.name for venue in venues))
    root.call(
        "iam",
        "put_role_policy",
        RoleName=operator,
        PolicyName=venues[0].name if len(venues) == 1 else hashlib.sha256(names.encode()).hexdigest()[:32],
        PolicyDocument=json.dumps(_together([_emulator_policy(venue) for venue in venues])),
    )


def _together(policies: Sequence[Policy]) -> Policy:
    """One policy that allows what all of these do: statements that differ in nothing but what they are about, once."""
    about: dict[str, dict[str, None]] = {}
    for statement in (each for policy in policies for each in policy["Statement"]):
        rest = json.dumps({key: value for key, value in statement.items() if key not in ("Sid", "Resource")})
        about.setdefault(rest, {}).update(dict.fromkeys(listed(statement["Resource"])))
    statements = [{**json.loads(rest), "Resource": list(resources)} for rest, resources in about.items()]
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
    for bucket, region in _own_buckets(venue):
        _seed_bucket(root, bucket, region)
        versions = {"Status": "Enabled"}
        root.in_region(region).call("s3", "put_bucket_versioning", Bucket=bucket, VersioningConfiguration=versions)


def _boundaries(venue: Venue) -> list[str]:
    """Return the ARNs of the permissions boundaries in a venue's account: the platform's, and what the inventory seeds.

    Not the one that the venue asks for, or a misspelt one would be found.
    """
    seeded = () if venue.emulator_seed is None else venue.emulator_seed.permissions_boundaries
    return [venue.arn_of_policy(name) for name in (*PLATFORM_BOUNDARIES, *seeded)]


def _own_buckets(venue: Venue) -> list[tuple[str, str]]:
    """The buckets that the kit itself keeps things in, and their regions."""
    found = []
    if venue.state.bucket is not None:
        found.append((venue.state.bucket, venue.state.region or venue.region))
    if venue.ledger is not None:
        found.append((venue.ledger.bucket, venue.ledger.region))
    return found


def _emulator_policy(venue: Venue) -> dict[str, Any]:
    """What ``operator_policy`` says, and the two things that MiniStack needs said differently.

    It checks the making of a policy against ``*``, and a role by its ARN without a path.
    """
    policy = operator_policy(venue)
    bare = operator_policy(replace(venue, role_path="/"))["Statement"] if venue.role_path != "/" else []
    making = {"Effect": "Allow", "Action": "iam:CreatePolicy", "Resource": "*"}
    without_sids = [{key: value for key, value in statement.items() if key != "Sid"} for statement in bare]
    return {**policy, "Statement": [*policy["Statement"], *without_sids, making]}


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
