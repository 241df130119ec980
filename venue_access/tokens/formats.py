"""Token formats: a token as text. Those of shells are in ``shell_formats``, which loads when it is used."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Any

from venue_access.aws.client import AssumedRole, Credentials, Endpoint
from venue_access.aws.sessions import Accounts
from venue_access.errors import DeliveryError, UsageError
from venue_access.inventory.model import Venue
from venue_access.sensitive import Secret
from venue_access.times import iso


@dataclass(frozen=True)
class FormatOptions:
    """What a text contains besides the token."""

    region: str
    profile_name: str
    compact: bool = False
    """On one line, if the format is JSON."""
    endpoint: Endpoint | None = None
    """Where the token is used; None is AWS itself."""


@dataclass(frozen=True)
class Format:
    """A format: a pure function from a token to text.

    ``write`` raises ``DeliveryError`` for a value that the format cannot hold. AWS issues no such value.
    """

    write: Callable[[AssumedRole, FormatOptions], str]
    multiple: bool = False
    """Whether it can hold several tokens: one a line, each of which names its session."""
    check_profile_name: Callable[[str], None] | None = None
    """Raises ``UsageError`` for an invalid profile name; None if the format has no profile."""


FORMATS = (
    *("json", "ansible", "dotenv", "env", "env-no-export", "fish", "ini", "legacy-json", "powershell", "process"),
    "windows-cmd",
)
"""The values of ``--format``, the default first."""
_MULTIPLE = ("json", "ansible")


def find_format(name: str) -> Format:
    """Return the format of ``--format``.

    :raises UsageError: there is no such format.
    """
    if name not in FORMATS:
        from venue_access.inventory.suggestions import did_you_mean

        raise UsageError(
            f"unknown format {name!r}{did_you_mean(name, FORMATS)}", hint=f"the formats are: {', '.join(FORMATS)}"
        )
    if name in _DOCUMENTS:
        return _DOCUMENTS[name]
    from venue_access.tokens.shell_formats import shell_format

    return shell_format(name)


@dataclass(frozen=True)
class TokenFormatter:
    """Writes the tokens of one venue in one format."""

    format: Format
    options: FormatOptions
    venue: Venue
    accounts: Accounts | None

    def text(self, token: AssumedRole) -> str:
        """Return a token as text, for use at the venue's endpoint: the emulator chooses its port when it starts."""
        endpoint = None if self.accounts is None else self.accounts.endpoint(self.venue)
        return self.format.write(token, replace(self.options, endpoint=endpoint))


def token_formatter(
    name: str,
    venue: Venue,
    accounts: Accounts | None = None,
    *,
    profile_name: str | None = None,
    multiple: bool = False,
) -> TokenFormatter:
    """Return the formatter of a venue's tokens; every problem is found before a token is issued.

    :param accounts: has the venue's endpoint; None is for AWS itself.
    :param profile_name: the venue's name if None.
    :param multiple: whether there are several users.
    :raises UsageError: there is no such format, or it cannot hold several tokens, the profile or the endpoint.
    """
    found = find_format(name)
    if multiple and not found.multiple:
        raise UsageError(f"--format {name} is for one user at a time", hint=f"for several use {' or '.join(_MULTIPLE)}")
    if profile_name is not None:
        if found.check_profile_name is None:
            raise UsageError(f"--format {name} has no profile", hint="--profile-name goes with --format ini")
        found.check_profile_name(profile_name)
    options = FormatOptions(venue.region, venue.name if profile_name is None else profile_name, multiple)
    formatter = TokenFormatter(found, options, venue, accounts)
    endpoint = None if accounts is None else accounts.endpoint(venue)
    if endpoint is not None:
        placeholder = Credentials("id", Secret("x"), Secret("x"))
        try:
            formatter.text(AssumedRole("arn", "id", placeholder, datetime(2000, 1, 1, tzinfo=timezone.utc)))
        except DeliveryError as error:
            raise UsageError(
                f"--format {name} cannot hold the path {str(endpoint.ca_file or endpoint.url)!r}, which it needs",
                hint="use --format json, or another work directory",
            ) from error
    return formatter


def aws_json(token: AssumedRole) -> dict[str, Any]:
    """Return what ``aws sts assume-role`` prints; ``PackedPolicySize`` only if AWS measured a policy or tags."""
    document: dict[str, Any] = {
        "AssumedRoleUser": {"AssumedRoleId": token.assumed_role_id, "Arn": token.arn},
        "Credentials": {
            "AccessKeyId": token.credentials.access_key_id,
            "SecretAccessKey": token.credentials.secret_access_key.reveal(),
            "SessionToken": token.credentials.session_token.reveal() if token.credentials.session_token else "",
            "Expiration": iso(token.expiration),
        },
    }
    if token.packed_policy_size is not None:
        document["PackedPolicySize"] = token.packed_policy_size
    return document


def unwritable(name: str, what: str, where: str) -> DeliveryError:
    """Return the error for a value that a format cannot hold; it does not show the value."""
    return DeliveryError(
        f"the token was issued, but its {name} contains {what}, which {where} cannot hold", hint="use --format json"
    )


def _json(token: AssumedRole, options: FormatOptions) -> str:
    """Return the JSON of ``aws sts assume-role``, indented as the AWS CLI does."""
    return _dumped(aws_json(token), options)


def _ansible(token: AssumedRole, options: FormatOptions) -> str:
    """Return what the module ``amazon.aws.sts_assume_role`` returns, for ``--extra-vars @token.json``."""
    credentials = aws_json(token)["Credentials"]
    document = {
        "sts_creds": {
            "access_key": credentials["AccessKeyId"],
            "secret_key": credentials["SecretAccessKey"],
            "session_token": credentials["SessionToken"],
            "expiration": f"{token.expiration:%Y-%m-%dT%H:%M:%S+00:00}",  # as Ansible writes a datetime
        },
        "sts_user": {"assumed_role_id": token.assumed_role_id, "arn": token.arn},
    }
    return _dumped(document, options)


def _legacy_json(token: AssumedRole, options: FormatOptions) -> str:
    """Return JSON with the four keys of boto 2's ``Credentials``, which older scripts read."""
    credentials = aws_json(token)["Credentials"]
    document = {
        "access_key": credentials["AccessKeyId"],
        "secret_key": credentials["SecretAccessKey"],
        "session_token": credentials["SessionToken"],
        "expiration": credentials["Expiration"],
    }
    return _dumped(document, options)


def _process(token: AssumedRole, options: FormatOptions) -> str:
    """Return what a ``credential_process`` prints (AWS SDKs and Tools Reference Guide, version 1)."""
    return _dumped({"Version": 1, **aws_json(token)["Credentials"]}, options)


def _dumped(document: dict[str, Any], options: FormatOptions) -> str:
    return json.dumps(document, indent=None if options.compact else 4)


_PROFILE_NAME = re.compile(r"(?!DEFAULT$)[\w./%@:+][\w./%@:+-]{0,127}", re.ASCII)
# There is no quoting: a line break would begin another setting, spaces at the ends are dropped, and for some SDKs a
# comment begins at a # or ; after a space.
_REFUSED = re.compile(r"[\x00-\x1f\x7f]|\s[#;]|^\s|\s$|[\u0085\u2028\u2029]")


def cannot_hold(value: str) -> bool:
    """Return whether an AWS configuration file would be read back with another value."""
    return not value.isprintable() or _REFUSED.search(value) is not None


def endpoint_settings(endpoint: Endpoint | None) -> dict[str, str]:
    """Return a profile's settings for an endpoint other than AWS's."""
    if endpoint is None:
        return {}
    ca_bundle = {} if endpoint.ca_file is None else {"ca_bundle": str(endpoint.ca_file)}
    return {"endpoint_url": endpoint.url, **ca_bundle}


def check_profile_name(name: str) -> None:
    """Raise ``UsageError`` if an AWS tool does not accept a profile name."""
    if not _PROFILE_NAME.fullmatch(name):
        raise UsageError(
            f"--profile-name {name!r} is not a name that every AWS tool accepts",
            hint="use up to 128 ASCII letters, digits and _ - . / % @ : +, not beginning with -; DEFAULT holds the"
            " settings of every profile",
        )


def _ini(token: AssumedRole, options: FormatOptions) -> str:
    keys = token.credentials
    settings = {
        "aws_access_key_id": keys.access_key_id,
        "aws_secret_access_key": keys.secret_access_key.reveal(),
        "aws_session_token": keys.session_token.reveal() if keys.session_token is not None else "",
        "region": options.region,
        **endpoint_settings(options.endpoint),
    }
    for name, value in settings.items():
        if _REFUSED.search(value):
            raise unwritable(name, "a line break, a comment or a space at its end", "a credentials file")
    lines = [f"{name} = {value}" for name, value in settings.items() if value]
    return "\n".join([f"[{options.profile_name}]", f"# until {iso(token.expiration)}", *lines])


_DOCUMENTS = {
    "json": Format(_json, multiple=True),
    "ansible": Format(_ansible, multiple=True),
    "legacy-json": Format(_legacy_json),
    "process": Format(_process),
    "ini": Format(_ini, check_profile_name=check_profile_name),
}
