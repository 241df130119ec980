"""An AWS client for the account of each venue, who its caller is, and what AWS allows this caller."""

from __future__ import annotations

import hashlib
import os
import pwd
import re
import secrets
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Generic, TypeVar

from venue_access.aws.client import AssumedRole, AwsClient, Endpoint
from venue_access.aws.types import CallerIdentity, RoleSession
from venue_access.emulator.server import aws_emulator
from venue_access.errors import AccessDenied, CredentialsError, UsageError, VenueAccessError
from venue_access.inventory.model import Venue, emulator_operator_arn

CHAINED = 3_600
"""The maximum seconds of a session that a role session assumes (IAM User Guide, "Role chaining")."""
_SESSION_NAME = re.compile(r"[\w+=,.@-]{2,64}", re.ASCII)  # AWS STS API reference, AssumeRole, RoleSessionName
_WITH_HASH = re.compile(r".*-[0-9a-f]{12}", re.ASCII)
_OF_A_TOKEN = re.compile(r".+-20\d{6}T\d{6}Z-[0-9a-z]{8}", re.ASCII)
LONGEST_USER = 64 - len("-20261120T221500Z-3f9c21ab")
"""The characters that a token's role session name has for the user's name; a longer name is cut."""
_OTHER_ACCOUNT = "export credentials of that account, or set aws_profile or operator_role_arn in the inventory"
_T = TypeVar("_T")


class _Once(Generic[_T]):
    """A value that is computed at the first use; if that fails, each use raises the same error."""

    def __init__(self, compute: Callable[[], _T]) -> None:
        self._compute = compute
        self._lock = threading.Lock()
        self._outcome: Future[_T] = Future()

    def get(self) -> _T:
        with self._lock:
            if not self._outcome.done():
                try:
                    self._outcome.set_result(self._compute())
                except VenueAccessError as error:
                    self._outcome.set_exception(error)
        return self._outcome.result()


class Accounts:
    """One ``AwsClient`` for each account, region and set of credentials, made at its first use.

    Sessions of an operator's role are named after the person who operates, so that AWS and the ledger tell them apart.
    They have no source identity: it would stay on the tokens that are issued through them, as if the operator used
    those, and venues with ``source_identity`` could not set the recipient's, since it cannot be changed (IAM User
    Guide, "Monitor and control actions taken with assumed roles").

    :param venues: all venues of the inventory.
    :param say: reports that the emulator was started.
    :param dry: neither start the emulator nor seed it.
    """

    def __init__(
        self,
        venues: Iterable[Venue],
        work_directory: Path,
        say: Callable[[str], None] = lambda text: None,
        *,
        dry: bool = False,
    ) -> None:
        self.emulator = aws_emulator(work_directory)
        self._emulated = [venue for venue in venues if venue.emulator]
        self._say = say
        self._dry = dry
        self._starting = threading.Lock()
        self._lock = threading.Lock()
        self._clients: dict[tuple[str | None, ...], _Once[AwsClient]] = {}
        self._people: dict[tuple[str | None, ...], _Once[str]] = {}

    def aws(self, venue: Venue) -> AwsClient:
        """Return the client for a venue's account, as its operator.

        :raises CredentialsError: the credentials are not accepted, or the operator's role cannot be assumed.
        """
        key = (
            venue.account_id if venue.emulator else None,
            venue.region,
            venue.aws_profile,
            venue.operator_role_arn,
            venue.aws_endpoint_url,
        )
        make = self._emulator_client if venue.emulator else self._client
        with self._lock:
            client = self._clients.setdefault(key, _Once(partial(make, venue)))
        return client.get()

    def endpoint(self, venue: Venue) -> Endpoint | None:
        """Return the endpoint of a venue's account; None for AWS itself."""
        if venue.emulator:
            return self.emulator.endpoint(venue.aws_endpoint_url)
        return None if venue.aws_endpoint_url is None else Endpoint(venue.aws_endpoint_url)

    def start_endpoint(self, venue: Venue) -> Endpoint | None:
        """Return the endpoint of a venue's account; start it first if it is the emulator, whose port may change."""
        if venue.emulator:
            self.start_emulator()
        return self.endpoint(venue)

    def start_emulator(self) -> bool:
        """Start the emulator unless it runs, and seed it; return whether this call started it.

        :raises UsageError: it does not run, and ``dry`` forbids to start it.
        """
        if self._dry:
            if not self.emulator.is_running():
                raise UsageError("the AWS emulator is down, and --dry does not start it", hint="run: invoke local.up")
            return False
        with self._starting:
            started = self.emulator.up()
            if started:
                self._say(f"started the AWS emulator at {self.emulator.endpoint().url}")
            if not self.emulator.is_seeded(self._emulated):
                from venue_access.emulator.seed import seed

                seed(self.emulator, self._emulated)
        return started

    def _emulator_client(self, venue: Venue) -> AwsClient:
        self.start_emulator()
        root = self.emulator.root(venue.account_id, venue.region, venue.aws_endpoint_url)
        try:
            name = pwd.getpwuid(os.getuid()).pw_name  # the emulator has no name for the operator
        except KeyError:  # a container whose user has no name
            name = f"uid-{os.getuid()}"
        operator = emulator_operator_arn(venue.account_id, venue.partition)
        role = RoleSession(partial(root.assume_role, operator, session_name(name)))
        return AwsClient(region=venue.region, endpoint=root.endpoint, role=role)

    def _client(self, venue: Venue) -> AwsClient:
        aws = AwsClient(region=venue.region, profile=venue.aws_profile, endpoint=self.endpoint(venue))
        if venue.operator_role_arn is None:
            return aws
        aws.credentials()  # registers them for redaction, in the ledger too
        with self._lock:
            same_credentials = venue.aws_profile, venue.aws_endpoint_url
            name = self._people.setdefault(same_credentials, _Once(lambda: session_name(person(aws.caller()))))
        role = RoleSession(partial(_assume, aws, venue.operator_role_arn, name.get()))
        return AwsClient(region=venue.region, endpoint=aws.endpoint, role=role)


def _assume(aws: AwsClient, operator_role_arn: str, name: str) -> AssumedRole:
    try:
        return aws.assume_role(operator_role_arn, name)
    except AccessDenied as error:
        raise CredentialsError(
            f"operator_role_arn: cannot assume {operator_role_arn} with your credentials",
            hint="check that the role exists, and that it trusts you",
            code=error.code,
        ) from error


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
