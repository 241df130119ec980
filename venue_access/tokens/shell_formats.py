"""The formats of environment variables: statements for shells, and files of assignments."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from venue_access.aws.client import AssumedRole, Endpoint
from venue_access.times import iso
from venue_access.tokens.formats import Format, FormatOptions, unwritable

CONFLICTING = (
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_SECURITY_TOKEN",
    "AWS_ACCESS_KEY",
    "AWS_SECRET_KEY",
    "AWS_DELEGATION_TOKEN",
)
"""Variables of other credentials, which would override a token or mix with it; a shell format unsets them.

The AWS CLI and the SDKs read the profiles; botocore prefers ``AWS_SECURITY_TOKEN`` to ``AWS_SESSION_TOKEN`` (its
``EnvProvider``); the last three are those of the old EC2 tools.
"""

ENDPOINT_VARIABLES = ("AWS_ENDPOINT_URL", "AWS_CA_BUNDLE")
"""Set for the AWS emulator, and for a venue with an ``aws_endpoint_url``.

``VENUE_ACCESS_<name>`` holds what the kit set, and ``VENUE_ACCESS_OWN_<name>`` what the user had set before. So a token
for AWS itself, ``account.use`` and ``account.unset`` restore the user's value, and leave one that the kit did not set.
"""


@dataclass(frozen=True)
class Shell:
    """How a shell sets variables, each by a statement."""

    statement: Callable[[str, str | None], str]
    """Set a variable, or unset it if the value is None."""
    save: str | None = None
    """Copy the variable ``{name}`` to ``{own}``, unless it equals ``{kit}``."""
    restore: str | None = None
    """If ``{name}`` equals ``{kit}``, set it to the value of ``{own}``, or unset it if that is empty."""


def shell_format(name: str) -> Format:
    """Return one of this module's formats."""
    if name == "dotenv":
        return Format(_dotenv)
    if name == "env-no-export":
        return Format(_env_no_export)
    shell = SHELLS[name]

    def write(token: AssumedRole, options: FormatOptions) -> str:
        return statements(shell, variables(token, options.region), options.endpoint)

    return Format(write)


def variables(token: AssumedRole, region: str) -> dict[str, str | None]:
    """Return the environment variables of a token; the value is None for one to unset.

    :raises DeliveryError: a value contains a NUL, which an environment cannot hold.
    """
    keys = token.credentials
    found: dict[str, str | None] = {
        "AWS_ACCESS_KEY_ID": keys.access_key_id,
        "AWS_SECRET_ACCESS_KEY": keys.secret_access_key.reveal(),
        "AWS_SESSION_TOKEN": keys.session_token.reveal() if keys.session_token is not None else None,
        "AWS_CREDENTIAL_EXPIRATION": iso(token.expiration),
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        **dict.fromkeys(CONFLICTING),
    }
    for name, value in found.items():
        if value is not None and "\0" in value:
            raise unwritable(name, "a NUL", "an environment variable")
    return found


def statements(shell: Shell, values: Mapping[str, str | None], endpoint: Endpoint | None = None) -> str:
    """Return the statements that set variables and the endpoint, one a line.

    :param values: None is for a variable to unset.
    :param endpoint: None restores the user's own.
    """
    lines = [shell.statement(name, value) for name, value in values.items()]
    endpoint_values = _endpoint_values(endpoint)
    for name in ENDPOINT_VARIABLES:
        kit, own = f"VENUE_ACCESS_{name}", f"VENUE_ACCESS_OWN_{name}"
        if name in endpoint_values:
            if shell.save is not None:
                lines.append(shell.save.format(name=name, own=own, kit=kit))
            lines += [shell.statement(each, endpoint_values[name]) for each in (name, kit)]
        elif shell.restore is not None:
            lines.append(shell.restore.format(name=name, own=own, kit=kit))
            lines += [shell.statement(each, None) for each in (kit, own)]
    return "\n".join(lines)


def child_environment(
    environ: Mapping[str, str], token: AssumedRole, region: str, endpoint: Endpoint | None
) -> dict[str, str]:
    """Return the environment of a child process that uses a token, from that of this process."""
    kept = {name: value for name, value in environ.items() if name not in CONFLICTING}
    return kept | _assignments(token, FormatOptions(region, "", endpoint=endpoint))


def _assignments(token: AssumedRole, options: FormatOptions) -> dict[str, str]:
    """Return the variables that a file sets, which cannot unset any."""
    found = {name: value for name, value in variables(token, options.region).items() if value is not None}
    for name, value in _endpoint_values(options.endpoint).items():
        found |= {name: value, f"VENUE_ACCESS_{name}": value}
    return found


def _endpoint_values(endpoint: Endpoint | None) -> dict[str, str]:
    if endpoint is None:
        return {}
    ca_bundle = {} if endpoint.ca_file is None else {"AWS_CA_BUNDLE": str(endpoint.ca_file)}
    return {"AWS_ENDPOINT_URL": endpoint.url, **ca_bundle}


# -- bash, zsh and dash ------------------------------------------------------------------------------------------------


def _posix_quoted(value: str) -> str:
    """Return a value as one word of bash, dash and zsh (POSIX.1-2024, Shell Command Language, 2.2.2).

    Quoted even where ``shlex.quote`` would not: zsh expands a bare ``=word`` to the path of a command.
    """
    return "'" + value.replace("'", "'\\''") + "'"


def _posix_statement(name: str, value: str | None) -> str:
    # Ends in ; so that it survives an unquoted ``eval $(...)``, which joins all lines.
    return f"unset {name};" if value is None else f"export {name}={_posix_quoted(value)};"


# -- fish (its documentation, "The fish language", Quotes and Escaping Characters) -------------------------------------


def _fish_quoted(value: str) -> str:
    r"""Return a value in single quotes, in which only ``\`` and ``'`` are special; control characters as ``\xHH``.

    A line break is one of those: ``eval (...)`` would replace it by a space.
    """
    escaped = re.sub(r"(['\\])", r"\\\1", value)
    return "'" + re.sub(r"[\x01-\x1f\x7f]", lambda found: f"'\\x{ord(found[0]):02x}'", escaped) + "'"


def _fish_statement(name: str, value: str | None) -> str:
    # Global: a universal variable belongs to every session of the user.
    return f"set -eg {name};" if value is None else f"set -gx {name} {_fish_quoted(value)};"


# -- PowerShell (Microsoft, about_Quoting_Rules) -----------------------------------------------------------------------


def _powershell_quoted(value: str) -> str:
    """Return a value in single quotes, with each quote doubled; control characters are added by number.

    PowerShell ends a string at U+2018 to U+201B too (``CodeGeneration.EscapeSingleQuotedStringContent``).
    """
    doubled = re.sub("(['\u2018-\u201b])", r"\1\1", value)
    return "'" + re.sub(r"[\x01-\x1f\x7f]", lambda found: f"' + [char]{ord(found[0])} + '", doubled) + "'"


def _powershell_statement(name: str, value: str | None) -> str:
    return f"$env:{name} = {'$null' if value is None else _powershell_quoted(value)}"


# -- cmd.exe, as a batch file (Microsoft, Windows commands, "set" and "Using batch parameters") ------------------------

_CMD_REFUSED = re.compile(r'["\x00-\x1f\x7f]')  # a quote would end the value, a line break the statement


def _cmd_statement(name: str, value: str | None) -> str:
    """Return ``set "NAME=value"``: only ``%``, which is doubled, is special in it; an empty value unsets.

    Delayed expansion, which reads ``!``, is off by default.
    """
    if value is not None and _CMD_REFUSED.search(value):
        raise unwritable(name, "a double quote or control character", "a statement of cmd.exe")
    doubled = "" if value is None else value.replace("%", "%%")
    return f'set "{name}={doubled}"'


SHELLS: dict[str, Shell] = {
    "env": Shell(
        _posix_statement,
        save='test "${{{name}-}}" = "${{{kit}-}}" || export {own}="${{{name}-}}";',
        restore='test "${{{name}-}}" != "${{{kit}-}}" || export {name}="${{{own}-}}";'
        ' test -n "${{{name}-}}" || unset {name};',
    ),
    "fish": Shell(
        _fish_statement,
        save='test "${name}" = "${kit}"; or set -gx {own} "${name}";',
        restore='test "${name}" != "${kit}"; or set -gx {name} "${own}"; test -n "${name}"; or set -eg {name};',
    ),
    "powershell": Shell(
        _powershell_statement,
        save="if ($env:{name} -cne $env:{kit}) {{ $env:{own} = $env:{name} }}",
        restore="if ($env:{name} -ceq $env:{kit}) {{ $env:{name} = $env:{own} }}",  # an empty value unsets
    ),
    "windows-cmd": Shell(_cmd_statement),  # for /f neither runs an "if" nor expands a %NAME%
}


# -- files -------------------------------------------------------------------------------------------------------------

_DOTENV = re.compile(r"[\w+/.:,@%=-]*", re.ASCII)
_BARE = re.compile(r"[\w+/.:,@%-][\w+/.:,@%=-]*", re.ASCII)  # zsh expands a leading =


def _dotenv(token: AssumedRole, options: FormatOptions) -> str:
    """Return ``NAME=value`` lines for ``docker --env-file``, Compose, systemd's EnvironmentFile and dotenv packages.

    They agree only on bare values: Docker keeps quotes as part of the value, others remove them, and they differ on
    ``$``, ``#``, backslashes and line breaks. So a value with a character that AWS does not issue is refused.
    """
    found = _assignments(token, options)
    for name, value in found.items():
        if not _DOTENV.fullmatch(value):
            raise unwritable(name, "a character", "a dotenv file")
    return "\n".join(f"{name}={value}" for name, value in found.items())


def _env_no_export(token: AssumedRole, options: FormatOptions) -> str:
    """Return assignments for bash, zsh and dash, for ``set -a; . ./token.env; set +a``.

    A value is quoted only if a shell requires it: what AWS issues is bare, so the text is a dotenv file too.
    """
    return "\n".join(
        f"{name}={value if _BARE.fullmatch(value) else _posix_quoted(value)}"
        for name, value in _assignments(token, options).items()
    )
