"""An AWS client for the account of each venue: with the operator's own credentials, or as the emulator's operator."""

from __future__ import annotations

import os
import pwd
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from datetime import datetime, timedelta, timezone
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar

from venue_access.aws.client import AssumedRole, AwsClient, Endpoint
from venue_access.aws.identity import person, session_name
from venue_access.emulator.server import aws_emulator
from venue_access.errors import AccessDenied, AwsError, CredentialsError, UsageError, VenueAccessError
from venue_access.inventory.model import Venue, emulator_operator_arn

_T = TypeVar("_T")
_USABLE = timedelta(minutes=5)  # a session that cannot be renewed is used until so long before its end
_RETRY = timedelta(minutes=1)
_RENEWED = 900.0  # seconds before its end at which a session is renewed, as botocore does with its own


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
