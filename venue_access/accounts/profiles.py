"""The profiles of the AWS configuration files that stand for an account: those with long-term keys, or with a role.

The source: AWS SDKs and Tools Reference Guide, "Shared config and credentials files". What else a profile may have
(single sign-on, a process) needs no switching: every AWS tool does it by itself.
"""

from __future__ import annotations

import configparser
import io
import os
import re
import shlex
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from venue_access.accounts.account import Account, AssumedRole, keys_of
from venue_access.aws.client import Credentials
from venue_access.errors import UsageError
from venue_access.files import check_private, read_small
from venue_access.sensitive import ExternalId, Secret

_DEVICE = re.compile(r"arn:(?P<partition>aws[a-z-]*):iam::(?P<account_id>\d{12}):mfa/(?:.*/)?(?P<user>[^/]+)", re.ASCII)
_ROLE = re.compile(r"arn:(?P<partition>aws[a-z-]*):iam::(?P<account_id>\d{12}):role/.+", re.ASCII)
_LONGEST_CHAIN = 8
# One word in every shell, where it is completed; a name of other characters is left to the AWS tools.
_NAME = re.compile(r"[\w+=,.@:/][\w+=,.@:/-]{0,127}")

_HINT = "correct it, or name another with AWS_CONFIG_FILE or AWS_SHARED_CREDENTIALS_FILE"

Settings = Mapping[str, str]
"""A profile's settings: the configuration file's, and over them those of the credentials file."""


def in_profiles(environ: Mapping[str, str], home: Path) -> list[Account]:
    """The accounts of the profiles.

    :raises UsageError: a file cannot be read, or is no such file.
    """
    config, credentials = aws_files(environ, home)
    profiles: dict[str, dict[str, str]] = {}
    holding: dict[str, Path] = {}
    for path in (config, credentials):
        for section, settings in read_sections(read_text(path), path).items():
            for name in profile_names(section) if path == config else [section]:
                profiles.setdefault(name, {}).update(settings)
                if "aws_secret_access_key" in settings:
                    holding[name] = path
    found = [_account(name, profiles, holding) for name in profiles if _NAME.fullmatch(name)]
    return [each for each in found if each is not None]


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
        what = {
            configparser.DuplicateSectionError: "a section that it has already",
            configparser.DuplicateOptionError: "a setting that its section has already",
            configparser.MissingSectionHeaderError: "a line before the first section",
        }.get(type(error), "a line that is neither a section nor a setting")
        number = getattr(error, "lineno", None) or next((number for number, _ in getattr(error, "errors", ())), None)
        line = "" if number is None else f", line {number}"
        message = f"the AWS configuration file {path}{line}: {what}; AWS tools reject it"
        raise UsageError(message, hint=_HINT) from None
    found = {name: dict(parser.items(name)) for name in parser.sections()}
    for section, settings in found.items():
        for name, value in settings.items():
            if value.startswith("\n") and not all("=" in line for line in value.split("\n") if line.strip()):
                message = f"the AWS configuration file {path}, [{section}] {name}: an indented line without a ="
                raise UsageError(f"{message}; AWS tools reject it", hint=_HINT)
    return found


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


def _account(name: str, profiles: Mapping[str, Settings], holding: Mapping[str, Path]) -> Account | None:
    own = profiles[name]
    with_keys = _with_keys(name, profiles)
    if with_keys is None or "aws_session_token" in profiles[with_keys]:
        return None
    base = profiles[with_keys]
    serial = own.get("mfa_serial", base.get("mfa_serial"))
    device = _DEVICE.fullmatch(serial or "")
    role = _ROLE.fullmatch(own.get("role_arn", ""))
    whose = device or role
    external_id, duration = own.get("external_id"), own.get("duration_seconds", "")
    return Account(
        name,
        "profile",
        f"{holding.get(with_keys, '')} [{with_keys}]",
        partial(_keys, with_keys, base, holding.get(with_keys)),
        partition=whose["partition"] if whose else "aws",
        account_id=device["account_id"] if device else None,
        user=device["user"] if device else None,
        region=own.get("region", base.get("region")),
        mfa_serial=serial,
        mfa_process=own.get("mfa_process", base.get("mfa_process")),
        role=AssumedRole(
            own["role_arn"],
            ExternalId(external_id) if external_id else None,
            own.get("role_session_name"),
            int(duration) if duration.isdecimal() else None,
        )
        if role
        else None,
    )


def _with_keys(name: str, profiles: Mapping[str, Settings]) -> str | None:
    """The profile whose long-term keys a profile comes to by its ``source_profile``; None where it comes to none."""
    for _ in range(_LONGEST_CHAIN):  # a profile may name itself, or one that leads back
        settings = profiles.get(name, {})
        if "role_arn" not in settings or settings.get("source_profile") == name:
            return name if "aws_access_key_id" in settings and "aws_secret_access_key" in settings else None
        if "source_profile" not in settings:
            return None
        name = settings["source_profile"]
    return None


def _keys(name: str, settings: Settings, path: Path | None) -> Credentials:
    if path is not None:
        check_private(path)
    return keys_of(f"profile {name}", settings["aws_access_key_id"], Secret(settings["aws_secret_access_key"]))
