"""Scope a token: the flags that limit it, and the session policy that they compile to.

A token may do what both its role and its session policy allow (IAM User Guide, "Session policies"). The session policy
is made from the statements of the role's own policies, each unchanged or reduced, and a flag limits its own service
only.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from venue_access.errors import UsageError
from venue_access.inventory.model import Venue
from venue_access.inventory.validators import InvalidValue, cidr
from venue_access.policies.documents import (
    SESSION_POLICY_LIMIT,
    VERSION,
    Policy,
    compact,
    ecr_policy,
    listed,
    managed_policies,
    repository_arn,
    s3_policy,
    shortest,
    statements_of,
)

if TYPE_CHECKING:
    from venue_access.policies.session_file import PolicyFile

READS = frozenset(
    {
        *("s3:GetBucketLocation", "s3:GetObject", "s3:ListBucket"),
        *("s3:ListBucketMultipartUploads", "s3:ListMultipartUploadParts"),
        *("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:DescribeImages", "ecr:DescribeRepositories"),
        *("ecr:GetAuthorizationToken", "ecr:GetDownloadUrlForLayer", "ecr:ListImages"),
        "kms:Decrypt",
    }
)
"""The role's actions that change nothing: the Service Authorization Reference's access levels Read and List, a
registry login, and what reading an encrypted object takes."""

_REPOSITORY = re.compile(r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*", re.ASCII)
_KEY_BYTES = 1024  # of an object's key (S3 User Guide, "Naming Amazon S3 objects")


@dataclass(frozen=True)
class TokenScope:
    """What a token is limited to; an empty scope leaves it what the role allows.

    :raises UsageError: two of these exclude each other.
    """

    read_only: bool = False
    s3_prefixes: tuple[str, ...] = ()
    """Each ends in ``/``, so that ``dev`` does not match ``dev2``."""
    ecr_repositories: tuple[str, ...] = ()
    """Whole names, below the venue's prefix."""
    no_s3: bool = False
    no_ecr: bool = False
    source_cidrs: tuple[str, ...] = ()
    policy: PolicyFile | None = None

    def __post_init__(self) -> None:
        flags = {
            "--read-only": self.read_only,
            "--s3-prefix": self.s3_prefixes,
            "--ecr-repository": self.ecr_repositories,
            "--no-s3": self.no_s3,
            "--no-ecr": self.no_ecr,
        }
        given = [flag for flag, value in flags.items() if value]
        if self.policy is not None and given:
            raise UsageError(
                f"--policy and {given[0]} exclude each other: a token may do what either of them allows",
                hint="write the whole scope into the policy; only --source-ip can be combined with it",
            )
        for one, other in (("--no-s3", "--s3-prefix"), ("--no-ecr", "--ecr-repository"), ("--no-s3", "--no-ecr")):
            if one in given and other in given:
                left = "; together they leave nothing" if other == "--no-ecr" else ""
                raise UsageError(f"{one} and {other} exclude each other{left}")

    def __bool__(self) -> bool:
        return self != TokenScope()

    @property
    def needs_buckets(self) -> bool:
        """Return whether the session policy names buckets."""
        return bool(self) and not self.no_s3

    def describe(self) -> str:
        """Return the scope in a few words, for the operator and the ledger."""
        parts = [
            "read-only" if self.read_only else "",
            "no S3" if self.no_s3 else "",
            "no ECR" if self.no_ecr else "",
            f"S3 {', '.join(self.s3_prefixes)}" if self.s3_prefixes else "",
            f"ECR {', '.join(self.ecr_repositories)}" if self.ecr_repositories else "",
            f"the policy of {self.policy.name}" if self.policy else "",
            f"from {', '.join(self.source_cidrs)}" if self.source_cidrs else "",
        ]
        return "; ".join(filter(None, parts))

    def check(self, venue: Venue) -> None:
        """Refuse what the role of a venue does not have, as far as the inventory tells.

        :raises UsageError: a repository is not the venue's, or as for ``session_policy``.
        """
        prefixes = venue.ecr_repository_prefixes
        for name in self.ecr_repositories:
            if not venue.has_repository(name):
                raise UsageError(
                    f"--ecr-repository {name!r}: the role of {venue.name} has the repositories under"
                    f" {' and '.join(prefixes)} only",
                    hint=f"write its whole name, such as {prefixes[0]}{name.rsplit('/', 1)[-1] or 'NAME'}",
                )
        if venue.s3_buckets is not None or not self.needs_buckets:
            self.session_policy(venue, lambda: venue.s3_buckets or ())

    def session_policy(self, venue: Venue, buckets: Callable[[], Sequence[str]]) -> str | None:
        """Return the session policy as compact JSON; None for an empty scope.

        :param buckets: returns the venue's buckets; called only if the policy names them.
        :raises UsageError: the policy names what the role does not have, or AWS would not accept it.
        """
        if not self:
            return None
        names = buckets() if self.needs_buckets else ()
        if self.policy is not None:
            role = [each for policy in managed_policies(venue, names).values() for each in policy["Statement"]]
            self.policy.check_against(venue.name, role)
            document = dict(self.policy.document)
            statements = statements_of(document)
        else:
            document = {"Version": VERSION}
            s3 = [] if self.no_s3 else statements_of(s3_policy(venue, names))
            ecr = [] if self.no_ecr else statements_of(ecr_policy(venue))
            statements = [
                reduced for each in [*s3, *ecr] if each["Effect"] == "Allow" for reduced in self._reduced(venue, each)
            ]
        if self.source_cidrs:
            # AWS's own statement for this (IAM User Guide, "Denies access to AWS based on the source IP"). AWS always
            # sets aws:ViaAWSService, for its services' calls on the recipient's behalf; the AWS emulator never does,
            # hence IfExists.
            condition = {
                "NotIpAddress": {"aws:SourceIp": shortest(self.source_cidrs)},
                "BoolIfExists": {"aws:ViaAWSService": "false"},
            }
            statements.append({"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": condition})
        document["Statement"] = statements
        text = compact(document)
        beyond = [char for char in text if not ("\u0020" <= char <= "\u00ff" or char in "\t\n\r")]
        if beyond:
            raise UsageError(f"the session policy has {beyond[0]!r}; AWS takes characters up to U+00FF only")
        if len(text) > SESSION_POLICY_LIMIT:
            raise UsageError(
                f"the session policy has {len(text)} characters, and AWS takes {SESSION_POLICY_LIMIT}",
                hint="name fewer prefixes, repositories or address ranges, or issue several tokens",
            )
        return text

    def _reduced(self, venue: Venue, statement: Policy) -> list[Policy]:
        """Return the statements that are left of one of the role's policies."""
        sid, resources = statement["Sid"], listed(statement["Resource"])
        actions = [each for each in listed(statement["Action"]) if not self.read_only or each in READS]
        if sid == "Buckets" and self.s3_prefixes:
            # ListBucketMultipartUploads is left out: it has no s3:prefix (Service Authorization Reference, Amazon S3),
            # so it would show the keys of all uploads.
            listing = {"StringLike": {"s3:prefix": shortest([f"{prefix}*" for prefix in self.s3_prefixes])}}
            return [_allow(["s3:GetBucketLocation"], resources), _allow(["s3:ListBucket"], resources, listing)]
        if sid == "Objects" and self.s3_prefixes:
            resources = [f"{arn.removesuffix('*')}{prefix}*" for arn in resources for prefix in self.s3_prefixes]
        if sid == "Repositories" and self.ecr_repositories:
            resources = [repository_arn(venue, name) for name in self.ecr_repositories]
        return [_allow(actions, resources)] if actions else []


def scope(
    *,
    read_only: bool = False,
    s3_prefix: str | None = None,
    ecr_repository: str | None = None,
    no_s3: bool = False,
    no_ecr: bool = False,
    source_ip: str | None = None,
    policy: PolicyFile | None = None,
) -> TokenScope:
    """Return the scope that flags ask for; several values of one flag are separated by commas.

    Each value is checked here, since AWS would accept many a mistake and grant nothing, or too much.

    :raises UsageError: a value is invalid, or two flags exclude each other.
    """
    return TokenScope(
        read_only=read_only,
        s3_prefixes=_values("--s3-prefix", s3_prefix, _prefix),
        ecr_repositories=_values("--ecr-repository", ecr_repository, _repository),
        no_s3=no_s3,
        no_ecr=no_ecr,
        source_cidrs=_values("--source-ip", source_ip, cidr),
        policy=policy,
    )


def _values(flag: str, given: str | None, check: Callable[[str], str]) -> tuple[str, ...]:
    if given is None:
        return ()
    try:
        return tuple(dict.fromkeys(check(each.strip(" ")) for each in given.split(",")))
    except InvalidValue as error:
        raise UsageError(f"{flag}: {error}") from error


def _prefix(text: str) -> str:
    if not text:
        raise InvalidValue("a prefix is empty; leave the flag out for the whole bucket")
    if text.startswith(("s3://", "arn:")):
        raise InvalidValue(f"{text!r} must be the part after the bucket's name")
    if text.startswith("/"):
        raise InvalidValue(f"{text!r} begins with '/', and keys of objects do not; write {text.lstrip('/')}")
    if "*" in text or "?" in text or "${" in text:
        raise InvalidValue(f"{text!r} has a wildcard or a variable; a prefix is matched literally")
    if not text.isprintable():
        raise InvalidValue(f"{text!r} contains a control character")
    beyond = [char for char in text if char > "\u00ff"]
    if beyond:
        raise InvalidValue(f"{text!r} has {beyond[0]!r}, and a session policy takes characters up to U+00FF only")
    if len(text.encode()) > _KEY_BYTES:
        raise InvalidValue(f"a prefix of {len(text.encode())} bytes: keys of objects have {_KEY_BYTES} at most")
    return f"{text.rstrip('/')}/"


def _repository(text: str) -> str:
    if _REPOSITORY.fullmatch(text) and len(text) <= 256:
        return text
    raise InvalidValue(f"{text!r} is not a repository name: lower-case letters, digits and single '.', '_', '-', '/'")


def _allow(actions: Sequence[str], resources: Sequence[str], condition: Policy | None = None) -> Policy:
    found = {"Effect": "Allow", "Action": shortest(actions), "Resource": shortest(resources)}
    return found if condition is None else {**found, "Condition": condition}
