"""Use an account: its long-term credentials, an MFA session or the session of a role, and its variables in a shell."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timezone

from venue_access.accounts.cache import CredentialCache, Session
from venue_access.accounts.profiles import MFA_SUFFIX, Account, is_account_name
from venue_access.accounts.sources import AccountSources
from venue_access.aws.client import AssumedRole, AwsClient, Credentials
from venue_access.aws.sessions import CHAINED, check_duration_for_caller, role_session_name
from venue_access.errors import AccessDenied, AwsError, ConnectionFailed, CredentialsError, UsageError
from venue_access.sensitive import ExternalId, Secret
from venue_access.times import iso, parse_duration
from venue_access.tokens.formats import find_format
from venue_access.tokens.shell_formats import CONFLICTING, SHELLS
from venue_access.tokens.shell_formats import statements as shell_statements

SHORTEST, LONGEST = 900, 129_600
"""Seconds (AWS STS API reference, GetSessionToken, DurationSeconds)."""
_CODE = re.compile(r"\d{6}", re.ASCII)  # AWS STS API reference, GetSessionToken, TokenCode
_PROCESS_TIMEOUT = 120.0  # seconds: the operator may have to touch a hardware key
_ROLE = re.compile(r"(?P<arn>arn:aws[a-z-]*:iam::\d{12}:role/)?[\w+=,.@/-]{1,512}", re.ASCII)

ACCOUNT_VARIABLE = "VENUE_ACCESS_ACCOUNT"
"""Holds the name of the account whose credentials a shell has: ``work``, or ``work-MFA-STS``."""
UNSET: Mapping[str, str | None] = dict.fromkeys(
    (
        *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_CREDENTIAL_EXPIRATION"),
        *("AWS_REGION", "AWS_DEFAULT_REGION", *CONFLICTING, ACCOUNT_VARIABLE),
    )
)
"""Every variable that the kit sets in a shell; None unsets a variable."""


@dataclass(frozen=True)
class ActiveCredentials:
    """Credentials to set in a shell."""

    account_name: str
    """With ``-MFA-STS`` if they are of an MFA session."""
    credentials: Credentials
    expiration: datetime | None
    region: str
    role_session_arn: str | None = None
    """Set if the profile assumes a role."""

    def variables(self, *, legacy: bool = False) -> dict[str, str | None]:
        """Return the environment variables; None unsets a variable.

        ``AWS_SECURITY_TOKEN`` is the session token's older name. ``legacy`` adds the variables of the old EC2 tools.
        """
        key, secret = self.credentials.access_key_id, self.credentials.secret_access_key.reveal()
        token = self.credentials.session_token.reveal() if self.credentials.session_token is not None else None
        old = {"AWS_ACCESS_KEY": key, "AWS_SECRET_KEY": secret, "AWS_DELEGATION_TOKEN": token}
        return {
            **UNSET,
            "AWS_ACCESS_KEY_ID": key,
            "AWS_SECRET_ACCESS_KEY": secret,
            "AWS_SESSION_TOKEN": token,
            "AWS_SECURITY_TOKEN": token,
            "AWS_CREDENTIAL_EXPIRATION": None if self.expiration is None else iso(self.expiration),
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            ACCOUNT_VARIABLE: self.account_name,
            **(old if legacy else {}),
        }


@dataclass(frozen=True)
class AccountSession:
    """An account with the cache of its MFA sessions."""

    account: Account
    cache: CredentialCache
    environ: Mapping[str, str]
    now: Callable[[], datetime] = lambda: datetime.now(timezone.utc)

    @property
    def region(self) -> str:
        """Return the account's own region, the shell's, or us-east-1."""
        return self.account.region or _region_of_shell(self.environ) or "us-east-1"

    def cached(self) -> tuple[Session | None, str]:
        """Return the MFA session in the cache, and a message about it."""
        return self.cache.find(self.account, self.account.read_credentials(), self.now())

    def activate(self, session: Session | None) -> ActiveCredentials:
        """Return the credentials of ``session``, or the long-term ones; for a profile with a role, the role's."""
        role = self.account.role
        name = self.account.name + (MFA_SUFFIX if session is not None else "")
        credentials = self.account.read_credentials() if session is None else session.credentials
        if role is not None:
            token = self._assume(credentials, role.arn, role.external_id, role.duration)
            return ActiveCredentials(name, token.credentials, token.expiration, self.region, token.arn)
        expiration = None if session is None else session.expiration
        return ActiveCredentials(name, credentials, expiration, self.region)

    def mfa_device(self) -> str:
        """Return the serial number of the MFA device: the configured one, the user's, or the one AWS names by default.

        A security key has no codes and is skipped.
        """
        if self.account.mfa_serial is not None:
            return self.account.mfa_serial
        aws = self._aws(self.account.read_credentials())
        try:
            devices = [device for page in aws.pages("iam", "list_mfa_devices") for device in page["MFADevices"]]
        except (CredentialsError, ConnectionFailed):
            raise
        except AwsError:  # many users may list their devices only with MFA
            devices = []
        for device in devices:
            serial: str = device["SerialNumber"]
            if ":u2f/" not in serial:
                return serial
        account_id = self.account.account_id or aws.caller().account_id
        user = self.account.user or aws.caller().arn.rpartition("/")[2]
        return f"arn:{self.account.partition}:iam::{account_id}:mfa/{user}"

    def begin_mfa_session(self, serial: str, code: Secret, duration: int) -> Session:
        """Call GetSessionToken and cache the session.

        :param duration: seconds.
        :raises AccessDenied: the code is wrong, was used already, or belongs to another device.
        """
        credentials = self.account.read_credentials()
        request = {"DurationSeconds": duration, "SerialNumber": serial, "TokenCode": code.reveal()}
        try:
            answer = self._aws(credentials).call("sts", "get_session_token", hide=(code,), **request)["Credentials"]
        except AccessDenied as error:
            raise AccessDenied(
                f"Failed to set MFA token: {error.message}",
                hint=f"wait for the next code of {serial}; AWS accepts each code once",
                code=error.code,
            ) from error
        keys = Credentials(answer["AccessKeyId"], Secret(answer["SecretAccessKey"]), Secret(answer["SessionToken"]))
        session = Session(keys, answer["Expiration"].astimezone(timezone.utc))
        self.cache.store(self.account, credentials, session)
        return session

    def role_token(
        self, role: str | None, token: Secret | None, *, external_id: ExternalId | None, duration: int
    ) -> AssumedRole:
        """Assume a role with the cached MFA session, or with the long-term credentials if there is none.

        :param role: its name in the account, or its ARN; None takes the profile's.
        :param token: the session token of the credentials in the environment, which are used instead.
        :param duration: seconds.
        :raises UsageError: there is no such role, or there are no credentials in the environment.
        """
        own, match = self.account.role, _ROLE.fullmatch(role or "")
        if role is None and own is None:
            raise UsageError("--role is required", hint=f"{self.account.name} is not a profile with a role")
        if role is not None and match is None:
            raise UsageError(f"--role {role!r} is neither a role's name nor its ARN")
        if token is not None:
            access_key, secret_key = (self.environ.get(name) for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"))
            if not access_key or not secret_key:
                raise UsageError(
                    "--token requires AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment",
                    hint="omit it to use the cached MFA session",
                )
            credentials = Credentials(access_key, Secret(secret_key), token)
        else:
            session, _ = self.cached()
            credentials = self.account.read_credentials() if session is None else session.credentials
        if role is None and own is not None:
            role, external_id = own.arn, external_id or own.external_id
        elif match is not None and not match["arn"]:
            account_id = self.account.account_id or self._aws(credentials).caller().account_id
            role = f"arn:{self.account.partition}:iam::{account_id}:role/{role}"
        assert role is not None
        return self._assume(credentials, role, external_id, duration)

    def _assume(
        self, credentials: Credentials, arn: str, external_id: ExternalId | None, duration: int | None
    ) -> AssumedRole:
        aws = self._aws(credentials)
        if duration is not None and duration > CHAINED:
            check_duration_for_caller(duration, aws.caller())
        name = self.account.role.session_name if self.account.role is not None else None
        name = name or role_session_name(self.account.user or "operator", self.now())
        return aws.assume_role(arn, name, external_id=external_id, duration=duration)

    def _aws(self, credentials: Credentials) -> AwsClient:
        return AwsClient(region=self.region, credentials=credentials)


def open_account(
    environ: Mapping[str, str],
    name: str,
    credentials_dir: str | None = None,
    account_file: str | None = None,
    *,
    user: str | None = None,
) -> AccountSession:
    """Return the account of a name, with the cache of its MFA sessions.

    :param user: the IAM user, if it is not the account's.
    :raises UsageError: there is no such account, or the user's name is invalid.
    """
    account = AccountSources(environ, credentials_dir, account_file).account(name)
    if user is not None:
        if not is_account_name(user):
            raise UsageError(f"--user {user!r} cannot be an IAM user's name")
        account = replace(account, user=user)
    return AccountSession(account, CredentialCache.of(environ), environ)


def session_seconds(text: str) -> int:
    """Return the seconds of a session's ``--duration``.

    :raises UsageError: AWS does not accept that duration.
    """
    total = parse_duration(text, "--duration")
    if not SHORTEST <= total <= LONGEST:
        raise UsageError(f"--duration {text} is {total} s; AWS accepts 900 s (15m) to 129600 s (36h) for a session")
    return total


def is_mfa_code(text: str) -> bool:
    """Return whether a text is an MFA code: six digits."""
    return _CODE.fullmatch(text) is not None


def run_mfa_process(command: str) -> Secret:
    """Return the MFA code that a profile's ``mfa_process`` prints; the command runs without a shell.

    :raises UsageError: it fails, or prints something else.
    """
    name = command.split(" ", 1)[0]
    try:
        words = shlex.split(command) or [""]
        done = subprocess.run(words, stdout=subprocess.PIPE, timeout=_PROCESS_TIMEOUT, check=False, close_fds=True)
    except (OSError, ValueError) as error:
        reason = (error.strerror or str(error)).lower() if isinstance(error, OSError) else "unbalanced quotes"
        raise UsageError(f"cannot run mfa_process {name!r}: {reason}", hint="correct it in ~/.aws/config") from error
    except subprocess.TimeoutExpired:
        raise UsageError(f"mfa_process {name!r} did not end within {_PROCESS_TIMEOUT:.0f} s") from None
    code = Secret(done.stdout.decode("ascii", "replace").strip())
    if done.returncode != 0 or not is_mfa_code(code.reveal()):
        what = f"exited with {done.returncode}" if done.returncode else "did not print six digits"
        raise UsageError(f"mfa_process {name!r} {what}", hint="run it by hand, or pass the code with --code")
    return code


def statements(values: Mapping[str, str | None], format: str) -> str:
    """Return the statements that set variables; an endpoint and a CA bundle that the kit set for a token are unset.

    :raises UsageError: the format is not one of a shell.
    """
    find_format(format)
    if format not in SHELLS:
        raise UsageError(
            f"--format {format} is not for a shell", hint=f"the formats for shells are: {', '.join(SHELLS)}"
        )
    return shell_statements(SHELLS[format], values)


def active_account(environ: Mapping[str, str]) -> str:
    """Return the name of the account whose credentials a shell has.

    :raises UsageError: ``account.use`` and ``account.mfa`` have set none.
    """
    name = environ.get(ACCOUNT_VARIABLE, "")
    if not name:
        raise UsageError("No keys set", hint="name an account with --name, or set its credentials with account.use")
    return name.removesuffix(MFA_SUFFIX)


def whoami(environ: Mapping[str, str]) -> list[str]:
    """Return a line that names the account whose credentials a shell has, and a line with its region."""
    name, region = environ.get(ACCOUNT_VARIABLE), _region_of_shell(environ)
    if not environ.get("AWS_ACCESS_KEY_ID"):
        active = "No keys set"
    elif name:
        active = f"Keys set for {name} AWS account"
    else:
        active = f"Keys set that end in {environ['AWS_ACCESS_KEY_ID'][-4:]}, not by account.use"
    return [active, f"Region is {region}"] if region else [active]


def _region_of_shell(environ: Mapping[str, str]) -> str | None:
    return environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION")
