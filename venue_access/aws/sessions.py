"""An AWS client for the account of each venue: with the operator's own credentials, or as the emulator's operator."""

from __future__ import annotations

import os
import pwd
import threading
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Generic, TypeVar

from venue_access.aws.botocore_sessions import RoleSession
from venue_access.aws.client import AssumedRole, AwsClient, Endpoint
from venue_access.aws.identity import person, session_name
from venue_access.emulator.seed import EmulatedAccounts
from venue_access.errors import AccessDenied, CredentialsError, VenueAccessError
from venue_access.inventory.model import Venue, emulator_operator_arn

_T = TypeVar("_T")


class _Once(Generic[_T]):
    """A value that is computed at the first use; if that fails, each use raises the same error."""

    def __init__(self, compute: Callable[[], _T]) -> None:
        self._compute = compute
        self._lock = threading.Lock()
        self._values: list[_T] = []
        self._error: VenueAccessError | None = None

    def get(self) -> _T:
        with self._lock:
            if self._error is not None:
                raise self._error
            if not self._values:
                try:
                    self._values.append(self._compute())
                except VenueAccessError as error:
                    self._error = error
                    raise
            return self._values[0]


class Accounts:
    """One ``AwsClient`` for each account, region and set of credentials, made at its first use.

    Sessions of an operator's role are named after the person who operates, so that AWS and the ledger tell them apart.
    They have no source identity: it would stay on the tokens that are issued through them, as if the operator used
    those, and venues with ``source_identity`` could not set the recipient's, since it cannot be changed (IAM User
    Guide, "Monitor and control actions taken with assumed roles").

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
        self._emulator = EmulatedAccounts(work_directory, venues, say, dry=dry)
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
            return self._emulator.endpoint(venue)
        return None if venue.aws_endpoint_url is None else Endpoint(venue.aws_endpoint_url)

    def is_on_this_machine(self, venue: Venue) -> bool:
        """Return whether a venue's account is on the emulator of this machine."""
        endpoint = self.endpoint(venue)
        return endpoint is not None and endpoint.is_local

    def is_emulator_running(self) -> bool:
        """Return whether the emulator runs."""
        return self._emulator.is_running()

    def start_endpoint(self, venue: Venue) -> Endpoint | None:
        """Return the endpoint of a venue's account; start it first if it is the emulator, whose port may change."""
        if venue.emulator:
            self._emulator.start()
        return self.endpoint(venue)

    def start_emulator(self) -> bool:
        """Start the emulator unless it runs, and seed it; return whether this call started it."""
        return self._emulator.start()

    def _emulator_client(self, venue: Venue) -> AwsClient:
        self._emulator.start()
        root = AwsClient(
            region=venue.region,
            credentials=self._emulator.root_credentials(venue.account_id),
            endpoint=self._emulator.endpoint(venue),
        )
        operator = emulator_operator_arn(venue.account_id, venue.partition)
        return root.as_role(RoleSession(partial(root.assume_role, operator, session_name(_unix_user()))))

    def _client(self, venue: Venue) -> AwsClient:
        aws = AwsClient(region=venue.region, profile=venue.aws_profile, endpoint=self.endpoint(venue))
        if venue.operator_role_arn is None:
            return aws
        aws.credentials()  # registers them for redaction, in the ledger too
        with self._lock:
            same_credentials = venue.aws_profile, venue.aws_endpoint_url
            name = self._people.setdefault(same_credentials, _Once(lambda: session_name(person(aws.caller()))))
        return aws.as_role(RoleSession(partial(_assume, aws, venue.operator_role_arn, name.get())))


def _assume(aws: AwsClient, operator_role_arn: str, name: str) -> AssumedRole:
    try:
        return aws.assume_role(operator_role_arn, name)
    except AccessDenied as error:
        raise CredentialsError(
            f"operator_role_arn: cannot assume {operator_role_arn} with your credentials",
            hint="check that the role exists, and that it trusts you",
            code=error.code,
        ) from error


def _unix_user() -> str:
    """Return the operator's name on the emulator, which has no name for them."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container whose user has no name
        return f"uid-{os.getuid()}"
