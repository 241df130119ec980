"""The profiles of the AWS configuration files that stand for an account: those with long-term keys, or with a role.

The source: AWS SDKs and Tools Reference Guide, "Shared config and credentials files". What else a profile may have
(single sign-on, a process) needs no switching: every AWS tool does it by itself.
"""

from __future__ import annotations

import configparser
import re
import shlex
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from venue_access.aws import Keys
from venue_access.errors import RequestError
from venue_access.files import check_private, read_small
from venue_access.masked import ExternalId, Secret
from venue_access.own_keys.account import Account, AssumedRole, keys_of

_DEVICE = re.compile(r"arn:(?P<partition>aws[a-z-]*):iam::(?P<account_id>\d{12}):mfa/(?:.*/)?(?P<user>[^/]+)", re.ASCII)
_ROLE = re.compile(r"arn:(?P<partition>aws[a-z-]*):iam::(?P<account_id>\d{12}):role/.+", re.ASCII)
_LONGEST_CHAIN = 8
# One word in every shell, where it is completed; a name of other characters is left to the AWS tools.
_NAME = re.compile(r"[\w+=,.@:/][\w+=,.@:/-]{0,127}")

Settings = Mapping[str, str]
"""A profile's settings: the configuration file's, and over them those of the credentials file."""


def in_profiles(environ: Mapping[str, str], home: Path) -> list[Account]:
    """The accounts of the profiles.

    :raises RequestError: a file cannot be read, or is no such file.
    """
    config = Path(environ.get("AWS_CONFIG_FILE") or home / ".aws" / "config").expanduser()
    credentials = Path(environ.get("AWS_SHARED_CREDENTIALS_FILE") or home / ".aws" / "credentials").expanduser()
    profiles: dict[str, dict[str, str]] = {}
    holding: dict[str, Path] = {}
    for path, names in ((config, _profile_name), (credentials, str)):
        for section, settings in _sections(path).items():
            name = names(section)
            if name is not None:
                profiles.setdefault(name, {}).update(settings)
                if "aws_secret_access_key" in settings:
                    holding[name] = path
    found = [_account(name, profiles, holding) for name in profiles if _NAME.fullmatch(name)]
    return [each for each in found if each is not None]


def _sections(path: Path) -> dict[str, dict[str, str]]:
    if not path.exists():
        return {}
    parser = configparser.RawConfigParser(default_section="", strict=False)  # as botocore: no section is for all
    hint = "mend it, or name another with AWS_CONFIG_FILE or AWS_SHARED_CREDENTIALS_FILE"
    text = read_small(path, what="AWS configuration", hint=hint, most=2**20).decode("utf-8", "replace")
    try:
        parser.read_string(text)
    except configparser.Error as error:
        line = f", line {error.lineno}" if isinstance(error, configparser.MissingSectionHeaderError) else ""
        raise RequestError(f"the AWS configuration file {path}{line} is not one", hint=hint) from None  # it quotes
    return {name: dict(parser.items(name)) for name in parser.sections()}


def _profile_name(section: str) -> str | None:
    try:
        words = shlex.split(section)
    except ValueError:
        return None
    if words == ["default"]:
        return "default"
    return words[1] if len(words) == 2 and words[0] == "profile" else None


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


def _keys(name: str, settings: Settings, path: Path | None) -> Keys:
    if path is not None:
        check_private(path)
    return keys_of(f"profile {name}", settings["aws_access_key_id"], Secret(settings["aws_secret_access_key"]))
