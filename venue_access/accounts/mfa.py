"""A session with MFA: which device, which code, and GetSessionToken."""

from __future__ import annotations

import re
import shlex
import subprocess
from datetime import timezone

from venue_access.accounts.account import Account
from venue_access.accounts.cache import Session
from venue_access.aws.client import AwsClient, Credentials
from venue_access.errors import AccessDenied, AwsError, ConnectionFailed, CredentialsError, UsageError
from venue_access.sensitive import Secret
from venue_access.times import parse_duration

SHORTEST, LONGEST = 900, 129_600
"""Seconds (AWS STS API reference, GetSessionToken, DurationSeconds)."""
_CODE = re.compile(r"\d{6}", re.ASCII)
_PROCESS_TIMEOUT = 120.0  # seconds: somebody has to find the hardware key and touch it


def session_seconds(text: str) -> int:
    """``--duration`` of a session as seconds.

    :raises UsageError: AWS would not give it.
    """
    total = parse_duration(text, "--duration")
    if not SHORTEST <= total <= LONGEST:
        raise UsageError(f"--duration {text} is {total} s; AWS gives sessions for 900 s (15m) to 129600 s (36h)")
    return total


def is_code(code: Secret) -> bool:
    """Whether it is a code: six digits (AWS STS API reference, GetSessionToken, TokenCode)."""
    return _CODE.fullmatch(code.reveal()) is not None


def given_code(text: str) -> Secret:
    """A code as it was given.

    :raises UsageError: it is none; it is not shown.
    """
    code = Secret(text.strip())
    if not is_code(code):
        raise UsageError("the MFA code is not one", hint="it is six digits")
    return code


def code_of(process: str) -> Secret:
    """The code that a profile's ``mfa_process`` prints; it is run without a shell, and what it says goes to the person.

    :raises UsageError: it fails, or prints anything else.
    """
    name = process.split(" ", 1)[0]
    try:
        command = shlex.split(process) or [""]
        done = subprocess.run(command, stdout=subprocess.PIPE, timeout=_PROCESS_TIMEOUT, check=False, close_fds=True)
    except (OSError, ValueError) as error:
        why = (error.strerror or str(error)).lower() if isinstance(error, OSError) else "its quotes do not match"
        raise UsageError(f"mfa_process {name!r} cannot be run: {why}", hint="mend it in ~/.aws/config") from error
    except subprocess.TimeoutExpired:
        raise UsageError(f"mfa_process {name!r} gave no code within {_PROCESS_TIMEOUT:.0f} s") from None
    code = Secret(done.stdout.decode("ascii", "replace").strip())
    if done.returncode != 0 or not is_code(code):
        what = f"ended with {done.returncode}" if done.returncode else "printed something else than six digits"
        raise UsageError(f"mfa_process {name!r} {what}", hint="try it by itself, or give the code with --code")
    return code


def device_of(account: Account, aws: AwsClient) -> str:
    """The serial number of the MFA device: the configured one, else the user's own, else by AWS's convention.

    A security key has no codes and is passed over.
    """
    if account.mfa_serial is not None:
        return account.mfa_serial
    try:
        devices = [device for page in aws.pages("iam", "list_mfa_devices") for device in page["MFADevices"]]
    except (CredentialsError, ConnectionFailed):
        raise
    except AwsError:  # many may not, before they have shown a code
        devices = []
    for device in devices:
        serial: str = device["SerialNumber"]
        if ":u2f/" not in serial:
            return serial
    account_id = account.account_id or aws.caller().account_id
    user = account.user or aws.caller().arn.rpartition("/")[2]
    return f"arn:{account.partition}:iam::{account_id}:mfa/{user}"


def begin_session(aws: AwsClient, serial: str, code: Secret, duration: int) -> Session:
    """GetSessionToken.

    :param duration: seconds.
    :raises UsageError: these are not long-term keys.
    :raises AccessDenied: the code is wrong, was used already, or is another device's.
    """
    if aws.credentials().session_token is not None:
        raise UsageError(
            "a session cannot begin another: GetSessionToken takes long-term keys", hint="use an IAM user's access key"
        )
    try:
        answer = aws.call(
            "sts",
            "get_session_token",
            hide=(code,),
            DurationSeconds=duration,
            SerialNumber=serial,
            TokenCode=code.reveal(),
        )["Credentials"]
    except AccessDenied as error:
        raise AccessDenied(
            f"Failed to set MFA token: {error.message}",
            hint=f"wait for the next code of {serial}; each is taken once",
            code=error.code,
        ) from error
    keys = Credentials(answer["AccessKeyId"], Secret(answer["SecretAccessKey"]), Secret(answer["SessionToken"]))
    return Session(keys, answer["Expiration"].astimezone(timezone.utc))
