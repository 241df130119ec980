"""The values that go to AWS and come from it, and role sessions that are renewed."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from venue_access.errors import AwsError, CredentialsError
from venue_access.sensitive import ExternalId, Secret

SECURE_STRING = "SecureString"
"""The type of an encrypted SSM parameter."""
_INSTANCE = re.compile(r"/i-([0-9a-f]{8}|[0-9a-f]{17})$", re.ASCII)
_PRINTABLE = re.compile(r"[!-~]+", re.ASCII)
_USABLE = timedelta(minutes=5)  # a session that cannot be renewed is used until so long before its end
_RETRY = timedelta(minutes=1)
_RENEWED = 900.0  # seconds before its end at which a session is renewed, as botocore does with its own


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


class RoleSession:
    """A role session that is renewed before it ends; safe to share between threads.

    A renewal that fails is not tried again for a minute: callers in that time get the same error.

    :param assume: assumes the role.
    :raises AwsError: the role cannot be assumed.
    """

    def __init__(
        self,
        assume: Callable[[], AssumedRole],
        *,
        now: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
    ) -> None:
        self._assume = assume
        self._now = now
        self._lock = threading.Lock()
        self._failure: tuple[datetime, AwsError] | None = None
        self._session = assume()

    def lasting(self, seconds: float) -> AssumedRole:
        """Return the session, or a new one if it ends within so many seconds.

        AWS gives a role that is assumed from a role's session one hour at most.

        :raises AwsError: it cannot be renewed, and ends within five minutes.
        """
        with self._lock:
            now = self._now()
            left = self._session.expiration - now
            if left >= timedelta(seconds=seconds):
                return self._session
            if self._failure is None or now - self._failure[0] >= _RETRY:
                try:
                    self._session, self._failure = self._assume(), None
                    return self._session
                except AwsError as error:
                    self._failure = now, error
            if left < _USABLE:
                raise self._failure[1]
            return self._session

    def credential_resolver(self) -> Any:
        """Return a resolver with which botocore gets the session's credentials, and renews them."""
        from botocore.credentials import CredentialProvider, CredentialResolver, RefreshableCredentials

        def metadata(seconds: float) -> dict[str, str]:
            session = self.lasting(seconds)
            keys = ("access_key", "secret_key", "token")
            credentials = zip(keys, session.credentials.environment().values(), strict=True)
            return {**dict(credentials), "expiry_time": session.expiration.isoformat()}

        class Operator(CredentialProvider):
            METHOD = CANONICAL_NAME = "venue-access-operator"

            def load(self) -> Any:
                return RefreshableCredentials.create_from_metadata(
                    metadata(0), refresh_using=lambda: metadata(_RENEWED), method=self.METHOD
                )

        return CredentialResolver([Operator()])
