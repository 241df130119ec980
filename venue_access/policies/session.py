"""A token scoped to the need: what was asked for, and the session policy that it compiles to.

A token may do what both its role and its session policy allow (IAM User Guide, "Session policies"), so each part of
the policy here is the role's own statement or less, and a flag scopes its own service alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from venue_access.errors import UsageError
from venue_access.inventory.model import Venue
from venue_access.policies.documents import (
    BUCKET_ACTIONS,
    DELETE_ACTIONS,
    KEY_ACTIONS,
    OBJECT_ACTIONS,
    REPOSITORY_ACTIONS,
    SESSION_POLICY_LIMIT,
    Policy,
    compact,
    ecr_policy,
    s3_policy,
)

if TYPE_CHECKING:
    from venue_access.policies.session_file import PolicyFile

READS = frozenset(
    {
        "s3:GetBucketLocation",
        "s3:GetObject",
        "s3:ListBucket",
        "s3:ListBucketMultipartUploads",
        "s3:ListMultipartUploadParts",
        "ecr:BatchCheckLayerAvailability",
        "ecr:BatchGetImage",
        "ecr:DescribeImages",
        "ecr:DescribeRepositories",
        "ecr:GetDownloadUrlForLayer",
        "ecr:ListImages",
        "kms:Decrypt",
    }
)
"""The role's actions that change nothing: the Service Authorization Reference's access levels Read and List, and what
reading an encrypted object takes."""


@dataclass(frozen=True)
class TokenScope:
    """What a token is scoped to; an empty one leaves it as wide as the role.

    :raises UsageError: two of these exclude each other.
    """

    read_only: bool = False
    s3_prefixes: tuple[str, ...] = ()
    """Each ends in ``/``, so that ``dev`` does not reach into ``dev2``."""
    ecr_repositories: tuple[str, ...] = ()
    """Whole names, below the venue's prefix."""
    no_s3: bool = False
    no_ecr: bool = False
    source_cidrs: tuple[str, ...] = ()
    policy: PolicyFile | None = None

    def __post_init__(self) -> None:
        flags = {
            "--read-only": self.read_only,
            "--s3-prefix": bool(self.s3_prefixes),
            "--ecr-repository": bool(self.ecr_repositories),
            "--no-s3": self.no_s3,
            "--no-ecr": self.no_ecr,
        }
        given = [flag for flag, on in flags.items() if on]
        if self.policy is not None and given:
            raise UsageError(
                f"--policy and {given[0]} exclude each other: a token may do what either of them allows",
                hint="write into the policy what is meant; only --source-ip goes with it",
            )
        for one, other in (("--no-s3", "--s3-prefix"), ("--no-ecr", "--ecr-repository"), ("--no-s3", "--no-ecr")):
            if flags[one] and flags[other]:
                left = "; together they leave nothing" if other == "--no-ecr" else ""
                raise UsageError(f"{one} and {other} exclude each other{left}")

    def __bool__(self) -> bool:
        return self != TokenScope()

    @property
    def needs_buckets(self) -> bool:
        """Whether the session policy names buckets."""
        return bool(self) and not self.no_s3

    def describe(self) -> str:
        """In a few words, for the operator and the ledger."""
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
        """Refuse what the role of a venue lacks, as far as it can be told without AWS.

        :raises UsageError: a repository that is not the venue's; a bucket the inventory names leads to more.
        """
        for name in self.ecr_repositories:
            prefixes = venue.ecr_repository_prefixes
            if not venue.has_repository(name):
                raise UsageError(
                    f"--ecr-repository {name!r}: the role of {venue.name} has the repositories under"
                    f" {' and '.join(prefixes)} only",
                    hint=f"write its whole name, such as {prefixes[0]}{name.rsplit('/', 1)[-1] or 'NAME'}",
                )
        if venue.s3_buckets is not None or not self.needs_buckets:
            self.session_policy(venue, lambda: venue.s3_buckets or ())

    def session_policy(self, venue: Venue, buckets: Callable[[], Sequence[str]]) -> str | None:
        """The session policy as compact JSON; None where there is nothing to scope.

        :param buckets: the venue's buckets; asked only where the policy names them.
        :raises UsageError: it names what the role lacks, or AWS would not take it.
        """
        if not self:
            return None
        named = buckets() if self.needs_buckets else ()
        if self.policy is not None:
            role = [*s3_policy(venue, named)["Statement"], *ecr_policy(venue)["Statement"]]
            self.policy.check_against(venue.name, role)
            given = self.policy.document["Statement"]
            statements = list(given) if isinstance(given, list) else [given]
        else:
            statements = [*self._s3(venue, named), *self._ecr(venue)]
        if self.source_cidrs:
            statements.append(_outside(self.source_cidrs))
        document = {"Version": "2012-10-17", "Statement": statements}
        if self.policy is not None:
            document = {**self.policy.document, "Statement": statements}
        text = compact(document)
        _check_characters(text)
        return text

    def _s3(self, venue: Venue, buckets: Sequence[str]) -> list[Policy]:
        if self.no_s3:
            return []
        arns = [f"arn:{venue.partition}:s3:::{bucket}" for bucket in buckets]
        objects = [f"{arn}/{prefix}*" for arn in arns for prefix in self.s3_prefixes or ("",)]
        writing = DELETE_ACTIONS if venue.s3_allow_delete else ()
        if self.s3_prefixes:
            # Uploads under way can't be listed for a prefix alone: ListBucketMultipartUploads has no s3:prefix
            # (Service Authorization Reference, Amazon S3), so it would show the keys of all.
            listing = {"StringLike": {"s3:prefix": _plain([f"{prefix}*" for prefix in self.s3_prefixes])}}
            within: list[Policy] = [
                _allow(["s3:GetBucketLocation"], arns),
                {**_allow(["s3:ListBucket"], arns), "Condition": listing},
            ]
        else:
            within = [_allow(BUCKET_ACTIONS, arns)]
        keys = [_allow(self._kept(KEY_ACTIONS), venue.kms_key_arns)] if venue.kms_key_arns else []
        return [*within, _allow(self._kept((*OBJECT_ACTIONS, *writing)), objects), *keys]

    def _ecr(self, venue: Venue) -> list[Policy]:
        if self.no_ecr:
            return []
        names = self.ecr_repositories or [f"{prefix}*" for prefix in venue.ecr_repository_prefixes]
        below = f"arn:{venue.partition}:ecr:{venue.region}:{venue.account_id}:repository/"
        login = _allow(["ecr:GetAuthorizationToken"], ["*"])
        return [login, _allow(self._kept(REPOSITORY_ACTIONS), [f"{below}{name}" for name in names])]

    def _kept(self, actions: Sequence[str]) -> list[str]:
        return [action for action in actions if not self.read_only or action in READS]


def _outside(cidrs: Sequence[str]) -> Policy:
    """Deny what comes from elsewhere, unless an AWS service makes the call for the recipient.

    It is AWS's own statement for this (IAM User Guide, "Denies access to AWS based on the source IP"). AWS always
    says whether a service calls; the AWS emulator never does, hence IfExists.
    """
    return {
        "Effect": "Deny",
        "Action": "*",
        "Resource": "*",
        "Condition": {
            "NotIpAddress": {"aws:SourceIp": _plain(cidrs)},
            "BoolIfExists": {"aws:ViaAWSService": "false"},
        },
    }


def _check_characters(text: str) -> None:
    beyond = [char for char in text if not ("\u0020" <= char <= "\u00ff" or char in "\t\n\r")]
    if beyond:
        raise UsageError(f"the session policy has {beyond[0]!r}; AWS takes characters up to U+00FF only")
    if len(text) > SESSION_POLICY_LIMIT:
        raise UsageError(
            f"the session policy has {len(text)} characters, and AWS takes {SESSION_POLICY_LIMIT}",
            hint="name fewer prefixes, repositories or address ranges, or issue several tokens",
        )


def _allow(actions: Sequence[str], resources: Sequence[str]) -> Policy:
    return {"Effect": "Allow", "Action": _plain(actions), "Resource": _plain(resources)}


def _plain(values: Sequence[str]) -> str | list[str]:
    return values[0] if len(values) == 1 else list(values)
