"""What AWS is given and what it answers, as frozen values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from venue_access.policies.documents import parse_policy
from venue_access.sensitive import ExternalId, Secret

SECURE_STRING = "SecureString"
"""The type of an SSM parameter that is encrypted."""
_INSTANCE = re.compile(r"/i-([0-9a-f]{8}|[0-9a-f]{17})$", re.ASCII)


@dataclass(frozen=True)
class Credentials:
    """AWS credentials: long-term, or of a session where there is a ``session_token``."""

    access_key_id: str
    secret_access_key: Secret
    session_token: Secret | None = None

    def environment(self) -> dict[str, str]:
        """The variables that give these keys to a child process."""
        variables = {
            "AWS_ACCESS_KEY_ID": self.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.secret_access_key.reveal(),
        }
        if self.session_token is not None:
            variables["AWS_SESSION_TOKEN"] = self.session_token.reveal()
        return variables


@dataclass(frozen=True)
class Endpoint:
    """An AWS-compatible service: one URL for every service, and the file of the CA that vouches for it."""

    url: str
    ca_file: Path | None = None


@dataclass(frozen=True)
class CallerIdentity:
    """Who AWS says we are."""

    account_id: str
    arn: str
    has_session: bool = True
    """Whether these are short-term keys: long-term ones never carry MFA."""

    @property
    def is_role_session(self) -> bool:
        """Whether these are a role's keys, which carry no MFA."""
        return ":assumed-role/" in self.arn

    @property
    def chains(self) -> bool:
        """Whether a role assumed from here is chained, which AWS caps at one hour.

        The session of an EC2 instance's own role, which EC2 names after the instance, does not count as a chain: "AWS
        does not treat using roles to grant permissions to applications that run on EC2 instances as role chaining"
        (IAM User Guide, "Roles terms and concepts").
        """
        return self.is_role_session and _INSTANCE.search(self.arn) is None


@dataclass(frozen=True)
class AssumedRole:
    """A role session as AWS STS gives it."""

    arn: str
    assumed_role_id: str
    keys: Credentials
    expiration: datetime
    """UTC."""
    packed_policy_size: int | None = None
    """Percent of what AWS allows; only where a session policy or tags were sent."""

    @classmethod
    def of(cls, answer: Mapping[str, Any], *, packed: bool) -> AssumedRole:
        """From an answer of AssumeRole; ``packed`` where a session policy or tags were sent."""
        issued = answer["Credentials"]
        return cls(
            arn=answer["AssumedRoleUser"]["Arn"],
            assumed_role_id=answer["AssumedRoleUser"]["AssumedRoleId"],
            keys=Credentials(issued["AccessKeyId"], Secret(issued["SecretAccessKey"]), Secret(issued["SessionToken"])),
            expiration=issued["Expiration"].astimezone(timezone.utc),
            packed_policy_size=answer.get("PackedPolicySize") if packed else None,
        )


@dataclass(frozen=True)
class Parameter:
    """An SSM parameter that holds one confidential value."""

    value: ExternalId
    version: int
    modified: datetime
    type: str = SECURE_STRING
    """``String`` or ``StringList`` where it is not encrypted: the platform's own scripts write a ``String``."""


@dataclass(frozen=True)
class LiveRole:
    """A role as it is in AWS now."""

    arn: str
    role_id: str
    path: str
    trust_policy: Mapping[str, Any]
    max_session_duration: int
    permissions_boundary_arn: str | None
    tags: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, role: Mapping[str, Any]) -> LiveRole:
        """From the ``Role`` of an answer of GetRole."""
        trust_policy = parse_policy(role["AssumeRolePolicyDocument"])
        _hold_external_ids(trust_policy)
        return cls(
            arn=role["Arn"],
            role_id=role["RoleId"],
            path=role["Path"],
            trust_policy=trust_policy,
            max_session_duration=role.get("MaxSessionDuration", 3600),
            permissions_boundary_arn=role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn"),
            tags={tag["Key"]: tag["Value"] for tag in role.get("Tags", ())},
        )


def _hold_external_ids(policy: Any) -> None:
    """Have ``redact`` know the external IDs of a trust policy, whichever statement they are in."""
    if isinstance(policy, list):
        for each in policy:
            _hold_external_ids(each)
    elif isinstance(policy, dict):
        for key, value in policy.items():
            if key.lower() != "sts:externalid":  # condition keys ignore case (IAM User Guide)
                _hold_external_ids(value)
            else:
                for text in [value] if isinstance(value, str) else value:
                    ExternalId(str(text))
