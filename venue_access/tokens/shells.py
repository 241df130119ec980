"""What the formats for shells share: which variables they set, and which they take away."""

from __future__ import annotations

from collections.abc import Mapping

from venue_access.aws.client import AssumedRole, Endpoint
from venue_access.errors import DeliveryError
from venue_access.times import iso
from venue_access.tokens.formats import Format, FormatOptions, Shell

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


ENDPOINT_VARIABLES = ("AWS_ENDPOINT_URL", "AWS_CA_BUNDLE")
"""Set for the AWS emulator, and for a venue with an ``aws_endpoint_url``.

``VENUE_ACCESS_<name>`` holds what the kit set, and ``VENUE_ACCESS_OWN_<name>`` what the user had set before. So a token
for AWS itself, ``account.use`` and ``account.unset`` restore the user's value, and leave one that the kit did not set.
"""


def set_by_kit(name: str) -> str:
    """Return the variable that holds what the kit set a variable to."""
    return f"VENUE_ACCESS_{name}"


def variables(token: AssumedRole, region: str) -> dict[str, str | None]:
    """The environment variables that load a token, by name; None is for one that is to be gone.

    :raises DeliveryError: a value has a NUL in it, which no environment holds.
    """
    keys = token.credentials
    found: dict[str, str | None] = {
        "AWS_ACCESS_KEY_ID": keys.access_key_id,
        "AWS_SECRET_ACCESS_KEY": keys.secret_access_key.reveal(),
        "AWS_SESSION_TOKEN": keys.session_token.reveal() if keys.session_token is not None else None,
        "AWS_CREDENTIAL_EXPIRATION": iso(token.expiration),
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        **dict.fromkeys(IN_THE_WAY),
    }
    for name, value in found.items():
        if value is not None and "\0" in value:
            raise unwritable(name, "a NUL", "an environment variable")
    return found


def shell_format(shell: Shell) -> Format:
    """The format of a shell: a statement a line for each variable."""

    def write(token: AssumedRole, terms: FormatOptions) -> str:
        return statements(shell, variables(token, terms.region), terms.endpoint)

    return Format(write, shell=shell)


def statements(shell: Shell, given: Mapping[str, str | None], endpoint: Endpoint | None = None) -> str:
    """Return the statements that set variables and the endpoint, a line each.

    :param given: None is for a variable to unset.
    :param endpoint: None restores the user's own.
    """
    lines = [shell.statement(name, value) for name, value in given.items()]
    values = _endpoint_values(endpoint)
    for name in ENDPOINT_VARIABLES:
        kit, own = set_by_kit(name), f"VENUE_ACCESS_OWN_{name}"
        if name in values:
            if shell.copy_unless is not None:
                lines.append(shell.copy_unless(name, own, kit))
            lines += [shell.statement(each, values[name]) for each in (name, kit)]
        elif shell.restore_if is not None:
            lines.append(shell.restore_if(name, own, kit))
            lines += [shell.statement(each, None) for each in (kit, own)]
    return "\n".join(lines)


def assignments(token: AssumedRole, terms: FormatOptions) -> dict[str, str]:
    """The variables that load a token, for a text that can only set: as ``variables``, but for those to be gone."""
    found = {name: value for name, value in variables(token, terms.region).items() if value is not None}
    for name, value in _endpoint_values(terms.endpoint).items():
        found |= {name: value, set_by_kit(name): value}
    return found


def _endpoint_values(endpoint: Endpoint | None) -> dict[str, str]:
    if endpoint is None:
        return {}
    ca_bundle = {} if endpoint.ca_file is None else {"AWS_CA_BUNDLE": str(endpoint.ca_file)}
    return {"AWS_ENDPOINT_URL": endpoint.url, **ca_bundle}


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
