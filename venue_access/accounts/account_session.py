"""From an account to keys for a shell: its long-term ones, its session with MFA, a role's."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone

from venue_access.accounts.account import ESCALATED, Account
from venue_access.accounts.cache import Found, Session, SessionCache
from venue_access.accounts.mfa import begin_session, device_of
from venue_access.accounts.shell import region_of
from venue_access.aws.client import AssumedRole, AwsClient, Credentials
from venue_access.aws.session_names import role_session_name
from venue_access.errors import UsageError
from venue_access.sensitive import ExternalId, Secret
from venue_access.tokens.request import CHAINED, check_chaining

_ROLE = re.compile(r"(?P<arn>arn:aws[a-z-]*:iam::\d{12}:role/)?[\w+=,.@/-]{1,512}", re.ASCII)


@dataclass(frozen=True)
class ActiveCredentials:
    """Keys to be set in a shell."""

    shown: str
    """The account's name, with ``-MFA-STS`` once escalated."""
    keys: Credentials
    expiration: datetime | None
    region: str
    arn: str | None = None
    """Of the role's session, where the profile has a role."""


@dataclass(frozen=True)
class AccountSession:
    """Switches to one account.

    :ivar user: its IAM user, where another is meant than what is known of the account.
    """

    account: Account
    cache: SessionCache
    environ: Mapping[str, str]
    now: Callable[[], datetime] = lambda: datetime.now(timezone.utc)

    @property
    def region(self) -> str:
        return region_of(self.account.region, self.environ)

    def cached(self) -> Found:
        """What the cache has for it."""
        return self.cache.find(self.account, self.account.read_keys(), self.now())

    def use(self, session: Session | None) -> ActiveCredentials:
        """Its keys, or those of ``session``; for a profile with a role that role's."""
        shown = self.account.name + (ESCALATED if session is not None else "")
        keys = self.account.read_keys() if session is None else session.keys
        ends, arn = None if session is None else session.expiration, None
        if self.account.role is not None:
            token = self._assume(keys, self.account.role.arn, self.account.role.external_id, self.account.role.duration)
            keys, ends, arn = token.keys, token.expiration, token.arn
        return ActiveCredentials(shown, keys, ends, self.region, arn)

    def escalate(self, code: Callable[[], Secret], duration: int) -> Session:
        """Begin a session with MFA, and keep it; ``code`` is asked for when it is time."""
        keys = self.account.read_keys()
        aws = self._aws(keys)
        serial = device_of(self.account, aws)
        session = begin_session(aws, serial, code(), duration)
        self.cache.keep(self.account, keys, session)
        return session

    def role_token(
        self, role: str | None, token: Secret | None, *, external_id: ExternalId | None, duration: int
    ) -> AssumedRole:
        """A token of a role, from the session in the cache where there is one, else from the long-term keys.

        :param role: its name in the account, or its ARN; None takes the profile's.
        :param token: the session token of the keys in the environment, which are taken then.
        :raises UsageError: there is no such role or key to take.
        """
        own = self.account.role
        if role is None and own is None:
            raise UsageError("--role is required", hint=f"{self.account.name} is no profile with a role of its own")
        if role is None and own is not None:
            return self._assume(self._keys(token), own.arn, external_id or own.external_id, duration)
        written = _ROLE.fullmatch(role or "")
        if written is None:
            raise UsageError(f"--role {role!r} is neither the name of a role nor its ARN")
        keys = self._keys(token)
        if written["arn"]:
            return self._assume(keys, written[0], external_id, duration)
        account_id = self.account.account_id or self._aws(keys).caller().account_id
        return self._assume(keys, f"arn:{self.account.partition}:iam::{account_id}:role/{role}", external_id, duration)

    def _keys(self, token: Secret | None) -> Credentials:
        if token is None:
            found = self.cached()
            return self.account.read_keys() if found.session is None else found.session.keys
        access_key, secret_key = (self.environ.get(name) for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"))
        if not access_key or not secret_key:
            raise UsageError(
                "--token goes with the keys in the environment, and there are none",
                hint="leave it out: a session in the cache is taken by itself",
            )
        return Credentials(access_key, Secret(secret_key), token)

    def _assume(self, keys: Credentials, arn: str, external_id: ExternalId | None, duration: int | None) -> AssumedRole:
        aws = self._aws(keys)
        if duration is not None and duration > CHAINED:
            check_chaining(duration, aws.caller())
        own = self.account.role
        name = own.session_name if own is not None else None
        return aws.assume_role(
            arn,
            name or role_session_name(self.account.user or "operator", self.now()),
            external_id=external_id,
            duration=duration,
        )

    def _aws(self, keys: Credentials) -> AwsClient:
        return AwsClient(region=self.region, keys=keys)
