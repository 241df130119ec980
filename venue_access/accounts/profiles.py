"""Read the AWS configuration files: the profiles that have long-term credentials, or a role assumed with them.

The source is the AWS SDKs and Tools Reference Guide, "Shared config and credentials files". Other profiles (single
sign-on, ``credential_process``) are left out: every AWS tool refreshes those itself.
"""

from __future__ import annotations

import configparser
import io
import os
import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from venue_access.aws.client import Credentials
from venue_access.errors import UsageError
from venue_access.files import check_private, read_small
from venue_access.sensitive import ExternalId, Secret

MFA_SUFFIX = "-MFA-STS"
"""The suffix of an account's name while its MFA session is active, as 42Lines' tools have it."""

_NAME = re.compile(r"[\w+=,.@][\w+=,.@-]{0,63}")
_KEY_ID = re.compile(r"\w{12,128}", re.ASCII)
_SECRET = re.compile(r"[\x21-\x7e]{1,256}")
_DEVICE = re.compile(r"arn:(?P<partition>aws[a-z-]*):iam::(?P<account_id>\d{12}):mfa/(?:.*/)?(?P<user>[^/]+)", re.ASCII)
_ROLE = re.compile(r"arn:(?P<partition>aws[a-z-]*):iam::(?P<account_id>\d{12}):role/.+", re.ASCII)
_LONGEST_CHAIN = 8
# One word in every shell, where names are completed. Profiles with other names are left to the AWS tools.
_LISTED_NAME = re.compile(r"[\w+=,.@:/][\w+=,.@:/-]{0,127}")
_HINT = "correct it, or use another file with AWS_CONFIG_FILE or AWS_SHARED_CREDENTIALS_FILE"


@dataclass(frozen=True)
class ProfileRole:
    """The role that an AWS profile assumes."""

    arn: str
    external_id: ExternalId | None = None
    session_name: str | None = None
    duration: int | None = None
    """Seconds."""


@dataclass(frozen=True)
class Account:
    """An account under the operator's name for it."""

    name: str
    source: str
    """``folder``, ``keyring`` or ``profile``."""
    read_credentials: Callable[[], Credentials]
    """Reads the long-term credentials; raises ``UsageError`` if others can read them or they are malformed."""
    partition: str = "aws"
    account_id: str | None = None
    user: str | None = None
    """The IAM user."""
    region: str | None = None
    mfa_serial: str | None = None
    mfa_process: str | None = None
    """A command that prints an MFA code."""
    role: ProfileRole | None = None


def is_account_name(name: str) -> bool:
    """Return whether a name is valid for an account: it is part of a file name, and one word in every shell."""
    return _NAME.fullmatch(name) is not None


def parse_credentials(source: str, access_key_id: str, secret_access_key: Secret) -> Credentials:
    """Return long-term credentials.

    :param source: where they were read, for the message.
    :raises UsageError: they are malformed; the message does not show them.
    """
    if not _KEY_ID.fullmatch(access_key_id):
        raise UsageError(f"{source}: invalid access key ID", hint="expected letters and digits, such as AKIA...")
    if not _SECRET.fullmatch(secret_access_key.reveal()):
        raise UsageError(f"{source}: invalid secret access key", hint="expected one word without spaces")
    return Credentials(access_key_id, secret_access_key)


def profile_accounts(environ: Mapping[str, str], home: Path) -> list[Account]:
    """Return the accounts of the AWS profiles.

    :raises UsageError: a file cannot be read or parsed.
    """
    config, credentials = aws_files(environ, home)
    profiles: dict[str, dict[str, str]] = {}
    secret_files: dict[str, Path] = {}
    for path in (config, credentials):
        for section, settings in read_sections(read_text(path), path).items():
            for name in profile_names(section) if path == config else [section]:
                profiles.setdefault(name, {}).update(settings)
                if "aws_secret_access_key" in settings:
                    secret_files[name] = path
    accounts = (_account(name, profiles, secret_files) for name in profiles if _LISTED_NAME.fullmatch(name))
    return [account for account in accounts if account is not None]


def aws_files(environ: Mapping[str, str], home: Path) -> tuple[Path, Path]:
    """Return the AWS configuration file and the credentials file."""

    def path(variable: str, name: str) -> Path:
        return Path(os.path.expanduser(os.path.expandvars(environ.get(variable) or home / ".aws" / name)))

    return path("AWS_CONFIG_FILE", "config"), path("AWS_SHARED_CREDENTIALS_FILE", "credentials")


def read_text(path: Path) -> str:
    """Return the text of an AWS configuration or credentials file; an absent one is empty.

    :raises UsageError: it cannot be read, or is not UTF-8.
    """
    if not path.exists():
        return ""
    try:
        return read_small(path, what="AWS configuration", hint=_HINT, most=2**20).decode("utf-8")
    except UnicodeDecodeError:
        raise UsageError(f"the AWS configuration file {path} is not UTF-8", hint=_HINT) from None


def read_sections(text: str, path: Path) -> dict[str, dict[str, str]]:
    """Parse an AWS configuration file as botocore does (``configloader.raw_config_parse``).

    :raises UsageError: the AWS CLI cannot read it either. The message quotes no line: it may be a secret key.
    """
    parser = configparser.RawConfigParser()
    try:
        parser.read_file(io.StringIO(text, newline=None))
    except configparser.Error as error:
        problem = {
            configparser.DuplicateSectionError: "duplicate section",
            configparser.DuplicateOptionError: "duplicate setting",
            configparser.MissingSectionHeaderError: "a line before the first section",
        }.get(type(error), "a line that is neither a section nor a setting")
        number = getattr(error, "lineno", None) or next((number for number, _ in getattr(error, "errors", ())), None)
        place = f"{path}" if number is None else f"{path}:{number}"
        raise UsageError(f"the AWS configuration file {place}: {problem}; AWS tools reject it", hint=_HINT) from None
    sections = {name: dict(parser.items(name)) for name in parser.sections()}
    for section, settings in sections.items():
        for name, value in settings.items():
            if value.startswith("\n") and not all("=" in line for line in value.split("\n") if line.strip()):
                message = f"the AWS configuration file {path}: [{section}] {name}: an indented line without a ="
                raise UsageError(f"{message}; AWS tools reject it", hint=_HINT)
    return sections


def profile_names(section: str) -> list[str]:
    """Return the name of the profile that a section of the configuration file defines, or nothing.

    The rule is botocore's (``configloader.build_profile_map``).
    """
    if section == "default":
        return [section]
    try:
        words = shlex.split(section)
    except ValueError:
        return []
    return words[1:] if section.startswith("profile") and len(words) == 2 else []


def _account(name: str, profiles: Mapping[str, Mapping[str, str]], secret_files: Mapping[str, Path]) -> Account | None:
    """Return the account of a profile; None if the profile does not lead to long-term credentials."""
    own = profiles[name]
    source = _source_profile(name, profiles)
    if source is None or "aws_session_token" in profiles[source]:
        return None
    base = profiles[source]
    serial = own.get("mfa_serial", base.get("mfa_serial"))
    device, arn = _DEVICE.fullmatch(serial or ""), _ROLE.fullmatch(own.get("role_arn", ""))
    role = None
    if arn is not None:
        external_id, duration = own.get("external_id"), own.get("duration_seconds", "")
        role = ProfileRole(
            own["role_arn"],
            ExternalId(external_id) if external_id else None,
            own.get("role_session_name"),
            int(duration) if duration.isdecimal() else None,
        )
    return Account(
        name,
        "profile",
        partial(_read_credentials, source, base, secret_files.get(source)),
        partition=device["partition"] if device else arn["partition"] if arn else "aws",
        account_id=device["account_id"] if device else None,
        user=device["user"] if device else None,
        region=own.get("region", base.get("region")),
        mfa_serial=serial,
        mfa_process=own.get("mfa_process", base.get("mfa_process")),
        role=role,
    )


def _source_profile(name: str, profiles: Mapping[str, Mapping[str, str]]) -> str | None:
    """Return the profile with long-term credentials that a chain of ``source_profile`` leads to, or None."""
    for _ in range(_LONGEST_CHAIN):  # a chain may lead back to its beginning
        settings = profiles.get(name, {})
        if "role_arn" not in settings or settings.get("source_profile") == name:
            return name if "aws_access_key_id" in settings and "aws_secret_access_key" in settings else None
        if "source_profile" not in settings:
            return None
        name = settings["source_profile"]
    return None


def _read_credentials(name: str, settings: Mapping[str, str], path: Path | None) -> Credentials:
    if path is not None:
        check_private(path)
    secret_access_key = Secret(settings["aws_secret_access_key"])
    return parse_credentials(f"profile {name}", settings["aws_access_key_id"], secret_access_key)
