"""botocore's sessions and clients: with the operator's own credentials, given ones, or a role session's."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

from venue_access.aws.types import AssumedRole, Credentials, Endpoint
from venue_access.errors import AwsError, Unreachable

# What is called here, by the tests, and by botocore itself to find an operator's keys.
_SERVICES = ("ecr", "iam", "kms", "s3", "signin", "ssm", "sso", "sso-oidc", "sts")
_POOL = 16  # connections a client may hold open: as many as the threads that issue tokens
ATTEMPTS = 5
"""How often a call is made, with up to 1, 2, 4 and 8 s in between (botocore's adaptive mode, like its standard one)."""
_ANSWER_TIMEOUT = 10  # seconds; where AWS does not answer at all, somebody hears of it after a minute
_RENEWED = 900.0  # seconds before its end at which a session is renewed, as botocore does with its own
_USABLE = timedelta(minutes=5)  # where it cannot be renewed, a session that lasts longer is used on
_TRIED_AGAIN = timedelta(minutes=1)


class RoleSession:
    """A session of a role that is renewed before it ends; to be shared by threads.

    A renewal that fails is not tried again for a minute: whoever asks in that time gets the same error.

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
        if self._failure is None or now - self._failure[0] >= _TRIED_AGAIN:
            try:
                self._session, self._failure = self._assume(), None
                return
            except AwsError as error:
                self._failure = now, error
        if self._session.expiration - now < _USABLE:
            raise self._failure[1]


def new_session(*, own_keys: bool, role: RoleSession | None) -> Any:
    """Return a botocore session.

    :param own_keys: whether its clients are given credentials: it must then not fall over a profile or a file that the
        environment names.
    :param role: whose credentials its clients use, where they are not given any.
    """
    import botocore.session

    from venue_access.aws import faults as aws_faults

    nowhere = (None, None, os.devnull, None)
    deaf = {"profile": (None,) * 4, "config_file": nowhere, "credentials_file": nowhere}
    session = botocore.session.Session(session_vars=deaf if own_keys or role is not None else None)
    session.register_component("data_loader", _loader())
    aws_faults.register(session)
    if role is not None:
        session.register_component("credential_provider", _resolver(role))
    return session


def new_client(session: Any, service: str, region: str, keys: Credentials | None, endpoint: Endpoint | None) -> Any:
    """Return a client of a service.

    :param session: of boto3's.
    :raises Unreachable: the endpoint's URL is none.
    """
    from botocore.config import Config

    options: dict[str, Any] = {}
    own: dict[str, Any] = {}
    if keys is not None:
        options["aws_access_key_id"] = keys.access_key_id
        options["aws_secret_access_key"] = keys.secret_access_key.reveal()
        if keys.session_token is not None:
            options["aws_session_token"] = keys.session_token.reveal()
    if endpoint is not None:
        options["endpoint_url"] = endpoint.url
        options["verify"] = None if endpoint.ca_file is None else str(endpoint.ca_file)
        own |= {"use_fips_endpoint": False, "use_dualstack_endpoint": False}  # AWS's variants of its own endpoints
        if endpoint.ca_file is not None:
            own["proxies"] = {}  # on this machine: no proxy of the environment's reaches it
    config = Config(
        connect_timeout=5,
        read_timeout=_ANSWER_TIMEOUT,
        max_pool_connections=_POOL,
        retries={"mode": "adaptive", "total_max_attempts": ATTEMPTS},  # slows down where AWS throttles
        user_agent_extra="venue-access",
        **own,
    )
    try:
        return session.client(service, region_name=region, config=config, **options)
    except ValueError as error:
        if not str(error).startswith("Invalid endpoint"):
            raise
        url = str(error).partition(": ")[2]
        raise Unreachable(
            f"{url!r} is not the URL of an endpoint", hint="check AWS_ENDPOINT_URL and aws_endpoint_url"
        ) from None


def _loader() -> Any:
    """botocore's loader, told which services there are: it would look into four hundred folders at each start."""
    from botocore.loaders import Loader

    class Told(Loader):
        def list_available_services(self, type_name: str) -> list[str]:
            return list(_SERVICES)

    return Told()


def _resolver(role: RoleSession) -> Any:
    """Return the way by which botocore finds a role session's credentials, and renews them."""
    from botocore.credentials import CredentialProvider, CredentialResolver, RefreshableCredentials

    def metadata(seconds: float) -> dict[str, str]:
        session = role.lasting(seconds)
        assert session.keys.session_token is not None
        return {
            "access_key": session.keys.access_key_id,
            "secret_key": session.keys.secret_access_key.reveal(),
            "token": session.keys.session_token.reveal(),
            "expiry_time": session.expiration.isoformat(),
        }

    class Operator(CredentialProvider):
        METHOD = CANONICAL_NAME = "venue-access-operator"

        def load(self) -> Any:
            return RefreshableCredentials.create_from_metadata(
                metadata(0), refresh_using=lambda: metadata(_RENEWED), method=self.METHOD
            )

    return CredentialResolver([Operator()])
