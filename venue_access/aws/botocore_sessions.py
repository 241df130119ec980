"""Make botocore's sessions and clients, with the operator's own credentials, given ones, or a role session's."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

from venue_access.aws import errors as aws_errors
from venue_access.aws.types import AssumedRole, Credentials, Endpoint
from venue_access.errors import AwsError, ConnectionFailed

# The services that the kit and its tests call, and that botocore calls to find an operator's credentials.
_SERVICES = ("ecr", "iam", "kms", "s3", "signin", "ssm", "sso", "sso-oidc", "sts")
_POOL = 16  # connections that a client may hold open: as many as the threads that issue tokens
ATTEMPTS = 5
"""Attempts for each call, with up to 1, 2, 4 and 8 s in between (botocore's adaptive mode, like its standard one)."""
_READ_TIMEOUT = 10  # seconds; with the retries, an endpoint that does not respond is reported after a minute
_RENEWED = 900.0  # seconds before its end at which a session is renewed, as botocore does with its own
_USABLE = timedelta(minutes=5)  # a session that cannot be renewed is used until so long before its end
_RETRY = timedelta(minutes=1)


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
            if self._session.expiration - now < timedelta(seconds=seconds):
                self._renew(now)
            return self._session

    def _renew(self, now: datetime) -> None:
        if self._failure is None or now - self._failure[0] >= _RETRY:
            try:
                self._session, self._failure = self._assume(), None
                return
            except AwsError as error:
                self._failure = now, error
        if self._session.expiration - now < _USABLE:
            raise self._failure[1]


def new_session(*, has_credentials: bool, role: RoleSession | None) -> Any:
    """Return a botocore session.

    :param has_credentials: whether its clients are given credentials: a profile or a file that the environment names
        is then not read, since it may be broken.
    :param role: the role session whose credentials its clients use.
    """
    from botocore.loaders import Loader
    from botocore.session import Session

    class KnownServices(Loader):
        """A loader that does not search four hundred folders for services at each start."""

        def list_available_services(self, type_name: str) -> list[str]:
            return list(_SERVICES)

    no_file = (None, None, os.devnull, None)
    no_profile = {"profile": (None,) * 4, "config_file": no_file, "credentials_file": no_file}
    session: Any = Session(session_vars=no_profile if has_credentials or role is not None else None)
    session.register_component("data_loader", KnownServices())
    aws_errors.register(session)
    if role is not None:
        session.register_component("credential_provider", _resolver(role))
    return session


def _resolver(role: RoleSession) -> Any:
    """Return a resolver with which botocore gets a role session's credentials, and renews them."""
    from botocore.credentials import CredentialProvider, CredentialResolver, RefreshableCredentials

    def metadata(seconds: float) -> dict[str, str]:
        session = role.lasting(seconds)
        token = session.credentials.session_token
        assert token is not None
        return {
            "access_key": session.credentials.access_key_id,
            "secret_key": session.credentials.secret_access_key.reveal(),
            "token": token.reveal(),
            "expiry_time": session.expiration.isoformat(),
        }

    class Operator(CredentialProvider):
        METHOD = CANONICAL_NAME = "venue-access-operator"

        def load(self) -> Any:
            return RefreshableCredentials.create_from_metadata(
                metadata(0), refresh_using=lambda: metadata(_RENEWED), method=self.METHOD
            )

    return CredentialResolver([Operator()])


def new_client(
    session: Any, service: str, region: str, credentials: Credentials | None, endpoint: Endpoint | None
) -> Any:
    """Return a client of a service from a boto3 session.

    :raises ConnectionFailed: the endpoint's URL is malformed.
    """
    from botocore.config import Config

    options: dict[str, Any] = {}
    config: dict[str, Any] = {}
    if credentials is not None:
        options["aws_access_key_id"] = credentials.access_key_id
        options["aws_secret_access_key"] = credentials.secret_access_key.reveal()
        if credentials.session_token is not None:
            options["aws_session_token"] = credentials.session_token.reveal()
    if endpoint is not None:
        options["endpoint_url"] = endpoint.url
        options["verify"] = None if endpoint.ca_file is None else str(endpoint.ca_file)
        config |= {"use_fips_endpoint": False, "use_dualstack_endpoint": False}  # variants of AWS's own endpoints
        if endpoint.is_local:
            config["proxies"] = {}
    options["config"] = Config(
        connect_timeout=5,
        read_timeout=_READ_TIMEOUT,
        max_pool_connections=_POOL,
        retries={"mode": "adaptive", "total_max_attempts": ATTEMPTS},  # slows down where AWS throttles
        user_agent_extra="venue-access",
        **config,
    )
    try:
        return session.client(service, region_name=region, **options)
    except ValueError as error:
        if not str(error).startswith("Invalid endpoint"):
            raise
        url = str(error).partition(": ")[2]
        raise ConnectionFailed(
            f"{url!r} is not the URL of an endpoint", hint="check AWS_ENDPOINT_URL and aws_endpoint_url"
        ) from None
