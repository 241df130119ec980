"""The format ``ini``: a profile's section for ``~/.aws/credentials``.

The rules are from the AWS SDKs and Tools Reference Guide, "Shared config and credentials files", and from Python's
``configparser``, with which the AWS CLI reads those files.
"""

from __future__ import annotations

import re

from venue_access.aws.client import AssumedRole, Endpoint
from venue_access.errors import UsageError
from venue_access.times import iso
from venue_access.tokens.formats import Format, FormatOptions, unwritable

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


def _write(token: AssumedRole, options: FormatOptions) -> str:
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


INI = Format(_write, check_profile_name=check_profile_name)
