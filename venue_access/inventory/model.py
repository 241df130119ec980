"""What an inventory says, as frozen values in the field's words."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from venue_access.inventory.regions import DNS_SUFFIXES

FROM_PARAMETER = "ssm:"
_NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Recipient:
    """Somebody who receives tokens and has no AWS account."""

    name: str
    email: str | None = None
    keys: tuple[str, ...] = ()
    """Public keys that a token may be encrypted to, or the names of files with them, relative to the inventory."""
    venues: tuple[str, ...] | None = None
    """Inventory names of the venues they may use; None is every venue that lists them."""
    timezone: str | None = None
    """Of the IANA database, such as ``America/Los_Angeles``."""


@dataclass(frozen=True)
class StateBackend:
    """Where a stack's Terraform state is kept: on this machine, or in S3 with S3's own lock."""

    backend: str = "local"
    bucket: str | None = None
    key_prefix: str = ""
    region: str | None = None
    kms_key_id: str | None = None

    def __str__(self) -> str:
        return "local" if self.bucket is None else f"s3://{self.bucket}/{self.key_prefix}"


@dataclass(frozen=True)
class EmulatorSeed:
    """What the AWS emulator has before anything is provisioned, beside what it always has."""

    permissions_boundaries: tuple[str, ...] = ()
    """Names or ARNs of policies in the venue's account."""


@dataclass(frozen=True)
class LedgerBucket:
    """Where in S3 many operators keep one ledger."""

    bucket: str
    prefix: str
    """Empty, or ends in ``/``."""
    region: str
    kms_key_id: str | None = field(default=None, compare=False)
    """The key that records are encrypted with; None leaves it to the bucket."""


@dataclass(frozen=True)
class BucketUses:
    """What an inventory uses S3 buckets for, by partition or endpoint and bucket: see ``bucket_uses``."""

    role_prefixes: set[str] = field(default_factory=set)
    """Of all venues, as they are written in bucket names."""
    data: dict[tuple[Hashable, str], str] = field(default_factory=dict)
    """The data buckets that the inventory names, and a venue of each."""
    kept: dict[tuple[Hashable, str], str] = field(default_factory=dict)
    """The buckets of states and ledgers, and what each holds."""
    found: dict[tuple[Hashable, str], str] = field(default_factory=dict)
    """The data buckets that were found in SSM parameters in this run, and the venue of each."""


@dataclass(frozen=True)
class Venue:
    """One place a project runs: a project and a venue name in one AWS account and region."""

    name: str
    """The inventory's name of it, ``<project>-<venue>``."""
    project: str
    venue: str
    account_id: str
    region: str
    partition: str
    trusted_principals: tuple[str, ...]
    """ARNs that may assume the role; ``arn:...:root`` is a whole account."""
    stack: str
    role_prefix: str = "unity"
    s3_buckets: tuple[str, ...] | None = None
    """None: the bucket is what ``datastore_parameter`` holds."""
    s3_allow_delete: bool = False
    kms_key_arns: tuple[str, ...] = ()
    ecr_repository_prefixes: tuple[str, ...] = ()
    """Each ends in ``/``."""
    ecr_shared: bool = False
    """Whether other venues that say so too may reach the same repositories."""
    external_id_kms_key: str | None = None
    """ID, ARN or alias of the key that encrypts the external-ID parameter; None keeps the present key."""
    require_mfa: bool = False
    principal_org_id: str | None = None
    source_cidrs: tuple[str, ...] = ()
    source_identity: bool = False
    session_tags: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    trust_policy_limit: int = 2048
    """Characters: the account's IAM quota "Role trust policy length"."""
    permissions_boundary: str | None = None
    """A name, an ARN, or the parameter that holds either (``ssm:/...``), as the inventory gives it."""
    role_path: str = "/"
    max_session_duration: int = 3600
    """Seconds."""
    tags: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    aws_profile: str | None = None
    operator_role_arn: str | None = None
    aws_endpoint_url: str | None = None
    emulator: bool = False
    emulator_seed: EmulatorSeed | None = None
    state: StateBackend = field(default_factory=StateBackend)
    ledger: LedgerBucket | None = None
    """None: a file in the work directory."""
    users: Mapping[str, Recipient] = field(default_factory=lambda: MappingProxyType({}))
    users_only: bool = False
    contact: str | None = None
    """The email of whom recipients ask."""
    bucket_uses: BucketUses = field(default_factory=BucketUses, repr=False, compare=False)
    """Of the whole inventory."""

    @property
    def endpoint_name(self) -> str | None:
        """Return the account's endpoint if it is not AWS: a URL, or a name for the emulator, whose port changes."""
        return "the AWS emulator" if self.emulator else self.aws_endpoint_url

    @property
    def account(self) -> tuple[str | None, ...]:
        """Return what identifies the account: the same number is another account at another endpoint."""
        return (self.partition, self.account_id, self.endpoint_name)

    @property
    def role_name(self) -> str:
        """The name of the role that a recipient's token is a session of."""
        return f"{self.role_prefix}-{self.project}-{self.venue}-sts"

    @property
    def role_arn(self) -> str:
        return f"arn:{self.partition}:iam::{self.account_id}:role{self.role_path}{self.role_name}"

    @property
    def external_id_parameter(self) -> str:
        """The SSM parameter whose value is the external ID that ``issue-token`` uses."""
        return f"/{self.role_prefix}/{self.project}/{self.venue}/cs/sts/role/external-id"

    @property
    def datastore_parameter(self) -> str:
        """The SSM parameter in which the platform keeps the name of the venue's data bucket."""
        return f"/{self.role_prefix}/{self.project}/{self.venue}/ds/datastore-bucket"

    @property
    def registry(self) -> str:
        """The host name of the account's ECR registry in the venue's region."""
        return f"{self.account_id}.dkr.ecr.{self.region}.{DNS_SUFFIXES[self.partition]}"

    @property
    def boundary_parameter(self) -> str | None:
        """The SSM parameter that holds the boundary's name or ARN, where the inventory names one."""
        boundary = self.permissions_boundary or ""
        return boundary.removeprefix(FROM_PARAMETER) if boundary.startswith(FROM_PARAMETER) else None

    @property
    def permissions_boundary_arn(self) -> str | None:
        """The boundary's ARN; None where there is none, or where only ``boundary_parameter`` has it."""
        boundary = self.permissions_boundary
        if boundary is None or boundary.startswith(FROM_PARAMETER):
            return None
        return self.arn_of_policy(boundary)

    def arn_of_policy(self, name: str) -> str:
        """Return the ARN of a managed policy that the inventory gives by its name or ARN."""
        if name.startswith("arn:"):
            return name
        return f"arn:{self.partition}:iam::{self.account_id}:policy/{name.lstrip('/')}"

    def has_repository(self, name: str) -> bool:
        """Return whether a repository of this name is below one of the venue's prefixes."""
        return any(name.startswith(prefix) and name != prefix for prefix in self.ecr_repository_prefixes)

    def policy_name(self, service: str) -> str:
        """The name of the role's managed policy for ``s3`` or ``ecr``."""
        return f"{self.role_name}-{service}"

    def policy_arn(self, service: str) -> str:
        return f"arn:{self.partition}:iam::{self.account_id}:policy{self.role_path}{self.policy_name(service)}"


EMULATOR_OPERATOR_ROLE = "venue-access-operator"
"""The role whose session an operator is on the AWS emulator, in every account."""


def emulator_operator_arn(account_id: str, partition: str = "aws") -> str:
    """The ARN of the emulator's operator's role in an account."""
    return f"arn:{partition}:iam::{account_id}:role/{EMULATOR_OPERATOR_ROLE}"


def names_of(venues: Sequence[Venue]) -> str:
    """The names of venues for a message: three at most, and how many more."""
    more = f" and {len(venues) - 3} more" if len(venues) > 3 else ""
    return ", ".join(venue.name for venue in venues[:3]) + more
