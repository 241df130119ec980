"""What the formats for shells share: which variables they set, and which they take away."""

from __future__ import annotations

from collections.abc import Callable

from venue_access.aws import AssumedRole
from venue_access.errors import DeliveryError
from venue_access.tokens.formats import Format, Terms, utc

IN_THE_WAY = (
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_SECURITY_TOKEN",
    "AWS_ACCESS_KEY",
    "AWS_SECRET_KEY",
    "AWS_DELEGATION_TOKEN",
)
"""Left from other credentials, these would mix with a token or go before it.

The AWS CLI and the SDKs read the profiles; botocore takes ``AWS_SECURITY_TOKEN`` before ``AWS_SESSION_TOKEN`` (its
``EnvProvider``); the last three are those of the old EC2 tools.
"""


def variables(token: AssumedRole, region: str) -> dict[str, str | None]:
    """The environment variables that load a token, by name; None is for one that is to be gone.

    :raises DeliveryError: a value has a NUL in it, which no environment holds.
    """
    keys = token.keys
    found: dict[str, str | None] = {
        "AWS_ACCESS_KEY_ID": keys.access_key_id,
        "AWS_SECRET_ACCESS_KEY": keys.secret_access_key.reveal(),
        "AWS_SESSION_TOKEN": keys.session_token.reveal() if keys.session_token is not None else None,
        "AWS_CREDENTIAL_EXPIRATION": utc(token.expiration),
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        **dict.fromkeys(IN_THE_WAY),
    }
    for name, value in found.items():
        if value is not None and "\0" in value:
            raise unwritable(name, "a NUL", "an environment variable")
    return found


def shell_format(statement: Callable[[str, str | None], str]) -> Format:
    """The format of a shell: a statement a line for each variable."""

    def write(token: AssumedRole, terms: Terms) -> str:
        return "\n".join(statement(name, value) for name, value in variables(token, terms.region).items())

    return Format(write, statement=statement)


def assignments(token: AssumedRole, region: str) -> dict[str, str]:
    """The variables that load a token, for a text that can only set: as ``variables``, but for those to be gone."""
    return {name: value for name, value in variables(token, region).items() if value is not None}


def posix_quoted(value: str) -> str:
    """A value as one word of bash, dash and zsh (POSIX.1-2024, Shell Command Language, 2.2.2).

    Quoted even where ``shlex.quote`` would not: zsh takes a bare ``=word`` for the path of a command.
    """
    return "'" + value.replace("'", "'\\''") + "'"


def unwritable(name: str, what: str, where: str) -> DeliveryError:
    """The error for a value that a format cannot hold; the value is not shown."""
    return DeliveryError(
        f"the token was issued, but its {name} has {what} in it, which {where} cannot hold",
        hint="take --format json",
    )
