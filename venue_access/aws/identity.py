"""The values that go to AWS and come from it, who calls AWS, and the names of role sessions."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from venue_access.errors import CredentialsError, UsageError
from venue_access.inventory.model import Venue
from venue_access.sensitive import ExternalId, Secret

if TYPE_CHECKING:
    from venue_access.aws.client import AwsClient

SECURE_STRING = "SecureString"
"""The type of an encrypted SSM parameter."""
_INSTANCE = re.compile(r"/i-([0-9a-f]{8}|[0-9a-f]{17})$", re.ASCII)
_PRINTABLE = re.compile(r"[!-~]+", re.ASCII)
CHAINED = 3_600
"""The maximum seconds of a session that a role session assumes (IAM User Guide, "Role chaining")."""
_SESSION_NAME = re.compile(r"[\w+=,.@-]{2,64}", re.ASCII)  # AWS STS API reference, AssumeRole, RoleSessionName
_WITH_HASH = re.compile(r".*-[0-9a-f]{12}", re.ASCII)
_OF_A_TOKEN = re.compile(r".+-20\d{6}T\d{6}Z-[0-9a-z]{8}", re.ASCII)
LONGEST_USER = 64 - len("-20261120T221500Z-3f9c21ab")
"""The characters that a token's role session name has for the user's name; a longer name is cut."""
_OTHER_ACCOUNT = "export credentials of that account, or set aws_profile or operator_role_arn in the inventory"


@dataclass(frozen=True)
class Credentials:
    """AWS credentials: long-term, or temporary if there is a ``session_token``."""

    access_key_id: str
    secret_access_key: Secret
    session_token: Secret | None = None

    def environment(self) -> dict[str, str]:
        """Return the environment variables that pass the credentials to a child process."""
        token = {} if self.session_token is None else {"AWS_SESSION_TOKEN": self.session_token.reveal()}
        secret = self.secret_access_key.reveal()
        return {"AWS_ACCESS_KEY_ID": self.access_key_id, "AWS_SECRET_ACCESS_KEY": secret, **token}

    def check_usable(self) -> None:
        """Refuse characters that no credential contains, such as the line break that a careless ``export`` adds.

        :raises CredentialsError: the message names the part, not its value.
        """
        names = ("access key ID", "secret access key", "session token")
        for name, text in zip(names, self.environment().values(), strict=False):
            if not _PRINTABLE.fullmatch(text):
                raise CredentialsError(
                    f"your AWS credentials are not usable: the {name} contains a line break, a space or another"
                    " invalid character",
                    hint="set it again, in the environment or in ~/.aws/credentials",
                )


@dataclass(frozen=True)
class Endpoint:
    """The endpoint of an AWS-compatible service: one URL for all services."""

    url: str
    ca_file: Path | None = None
    """The CA file that verifies its certificate; None for the CAs of the machine."""
    is_local: bool = False
    """Whether it is a process of this machine, which no proxy and no other machine reaches."""
    misjudged_actions: frozenset[str] = frozenset()
    """IAM actions, such as ``ecr:DescribeRepositories``, that the service authorizes differently from AWS."""


@dataclass(frozen=True)
class CallerIdentity:
    """The caller, as GetCallerIdentity returns it."""

    account_id: str
    arn: str
    has_session: bool = True
    """Whether the credentials are temporary: long-term ones never carry MFA."""

    @property
    def is_role_session(self) -> bool:
        """Return whether the caller is a role session, which carries no MFA."""
        return ":assumed-role/" in self.arn

    @property
    def chains(self) -> bool:
        """Return whether assuming a role from here is role chaining, which AWS caps at one hour.

        The session of an EC2 instance's role, which EC2 names after the instance, is not chaining: "AWS does not treat
        using roles to grant permissions to applications that run on EC2 instances as role chaining" (IAM User Guide,
        "Roles terms and concepts").
        """
        return self.is_role_session and _INSTANCE.search(self.arn) is None


@dataclass(frozen=True)
class AssumedRole:
    """A role session, as AssumeRole returns it."""

    arn: str
    assumed_role_id: str
    credentials: Credentials
    expiration: datetime
    """UTC."""
    packed_policy_size: int | None = None
    """Percent of AWS's limit; only if a session policy or tags were sent."""

    @classmethod
    def of(cls, answer: Mapping[str, Any], *, packed: bool) -> AssumedRole:
        """Parse an AssumeRole response; ``packed`` if a session policy or tags were sent."""
        role, issued = answer["AssumedRoleUser"], answer["Credentials"]
        return cls(
            role["Arn"],
            role["AssumedRoleId"],
            Credentials(issued["AccessKeyId"], Secret(issued["SecretAccessKey"]), Secret(issued["SessionToken"])),
            issued["Expiration"].astimezone(timezone.utc),
            answer.get("PackedPolicySize") if packed else None,
        )

    @property
    def caller(self) -> CallerIdentity:
        """Return the identity that the session has as a caller."""
        return CallerIdentity(self.arn.split(":")[4], self.arn)


@dataclass(frozen=True)
class Parameter:
    """An SSM parameter with a confidential value."""

    value: ExternalId
    version: int
    modified: datetime
    type: str = SECURE_STRING
    """``String`` or ``StringList`` if it is not encrypted: the platform's own scripts write a ``String``."""


@dataclass(frozen=True)
class LiveRole:
    """A role as IAM has it."""

    arn: str
    role_id: str
    path: str
    trust_policy: Mapping[str, Any]
    max_session_duration: int
    permissions_boundary_arn: str | None
    tags: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, role: Mapping[str, Any]) -> LiveRole:
        """Parse the ``Role`` of a GetRole response."""
        from venue_access.policies.documents import parse_policy

        trust_policy = parse_policy(role["AssumeRolePolicyDocument"])
        _redact_external_ids(trust_policy)
        return cls(
            arn=role["Arn"],
            role_id=role["RoleId"],
            path=role["Path"],
            trust_policy=trust_policy,
            max_session_duration=role.get("MaxSessionDuration", 3600),
            permissions_boundary_arn=role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn"),
            tags={tag["Key"]: tag["Value"] for tag in role.get("Tags", ())},
        )


def _redact_external_ids(policy: Any) -> None:
    """Register the external IDs of a trust policy with ``redact``, in any of its statements."""
    for each in policy if isinstance(policy, list) else ():
        _redact_external_ids(each)
    for key, value in policy.items() if isinstance(policy, dict) else ():
        if key.lower() != "sts:externalid":  # condition keys ignore case (IAM User Guide)
            _redact_external_ids(value)
        else:
            for text in [value] if isinstance(value, str) else value:
                ExternalId(str(text))


# -- callers ---------------------------------------------------------------------------------------------------------


def caller_in_account(aws: AwsClient, venue: Venue, *, hint: str = _OTHER_ACCOUNT) -> CallerIdentity:
    """Return the caller, who must be in the venue's account.

    :raises CredentialsError: the credentials are of another account, where the venue's resources do not exist.
    """
    caller = aws.caller()
    if caller.account_id != venue.account_id:
        raise CredentialsError(
            f"{venue.name} is in account {venue.account_id}, but your credentials are of account {caller.account_id}",
            hint=hint,
        )
    return caller


def why_not_trusted(venue: Venue, caller: CallerIdentity) -> str | None:
    """Return why the caller cannot assume the role even with the right external ID; None if no reason is known.

    The conditions ``source_cidrs`` and ``principal_org_id`` cannot be evaluated here.
    """
    if venue.require_mfa and caller.is_role_session:
        return "the role requires MFA, which a role session never carries"
    if venue.require_mfa and not caller.has_session:
        return "the role requires MFA, which an access key alone never carries: begin a session (invoke account.mfa)"
    if not any(_covers(principal, caller) for principal in venue.trusted_principals):
        return f"{caller.arn} is not one of the venue's trusted_principals"
    return None


def _covers(principal: str, caller: CallerIdentity) -> bool:
    account, resource = principal.split(":", 5)[4:]
    if account != caller.account_id or resource == "root":
        return account == caller.account_id
    kind, _, name = resource.partition("/")
    if kind == "role":  # a session's ARN has the role's name without its path
        return f":assumed-role/{name.rpartition('/')[2]}/" in caller.arn
    return principal == caller.arn


# -- role session names ------------------------------------------------------------------------------------------------


def person(caller: CallerIdentity) -> str:
    """Return the name of the caller: an IAM user's, or that of a session, which the account portal named after them."""
    kind, _, name = caller.arn.split(":", 5)[5].partition("/")
    return name.rpartition("/")[2] if name else f"{kind}@{caller.account_id}"  # only the root user has no name


def session_name(name: str) -> str:
    """Return a role session name for an operator: their own name if AWS accepts it, else its valid part and a hash.

    No two names give the same: a name that ends like a hash gets a hash too.
    """
    if _SESSION_NAME.fullmatch(name) and not _WITH_HASH.fullmatch(name):
        return name
    valid = re.sub(r"[^\w+=,.@-]", "-", name, flags=re.ASCII)[:51]
    return f"{valid}-{hashlib.sha256(name.encode('utf-8', 'surrogateescape')).hexdigest()[:12]}"


def role_session_name(user: str, issued: datetime, *, unique: str | None = None) -> str:
    """Return the role session name of a token, unique for each issue so that one token can be revoked.

    Such as ``alice-20261120T221500Z-3f9c21ab``.

    :param user: a recipient's name, which the inventory has checked against AWS's rule.
    :param issued: UTC.
    :param unique: eight characters; random by default.
    """
    return f"{user_part(user)}-{issued:%Y%m%dT%H%M%SZ}-{unique or secrets.token_hex(4)}"


def user_part(user: str) -> str:
    """Return the part of the user's name that a role session name holds: at most its first 38 characters."""
    return user[:LONGEST_USER]


def is_of_a_token(name: str) -> bool:
    """Return whether a name has the form that ``role_session_name`` gives; an incomplete copy does not."""
    return _OF_A_TOKEN.fullmatch(name) is not None


# -- durations of role sessions ----------------------------------------------------------------------------------------


def check_duration_for_caller(seconds: int, caller: CallerIdentity) -> None:
    """Refuse a duration that AWS refuses to this caller, whichever the role.

    :raises UsageError: the caller is a role session, and not that of an EC2 instance.
    """
    if caller.chains and seconds > CHAINED:
        raise UsageError(
            f"--duration of {seconds} s: your credentials are a role session ({caller.arn}), and AWS caps a role that"
            f" is assumed from one at {CHAINED} s (role chaining)",
            hint="ask for 1h or less, or issue with the credentials of an IAM user",
        )


def check_duration_for_role(seconds: int, role_maximum: int) -> None:
    """Refuse a duration that exceeds the role's maximum.

    :raises UsageError: it does.
    """
    if seconds > role_maximum:
        raise UsageError(
            f"--duration of {seconds} s is more than the role's maximum of {role_maximum} s",
            hint="ask for less, or raise max_session_duration in the inventory and provision the venue",
        )
