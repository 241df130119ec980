"""A token as text: a module for each format, of which only the one that is used is imported.

A module here *is* a format: ``windows_cmd.py`` is ``--format windows-cmd``, and its ``FORMAT`` says how it is written.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from venue_access.aws.client import AssumedRole, Endpoint
    from venue_access.inventory.model import Venue


@dataclass(frozen=True)
class FormatOptions:
    """What a text needs to know besides the token."""

    region: str
    profile_name: str
    compact: bool = False
    """On one line, where the format is a document."""
    endpoint: Endpoint | None = None
    """Where the token is to be used; None is AWS itself."""


@dataclass(frozen=True)
class Format:
    """How a token is written: a pure function, and what goes with it.

    ``write`` raises ``DeliveryError`` where a value cannot be written so that it is read back the same; what AWS issues
    always can.
    """

    write: Callable[[AssumedRole, FormatOptions], str]
    several: bool = False
    """Whether texts may follow each other: each is one line, and says whose token it is."""
    check_profile_name: Callable[[str], None] | None = None
    """Raises ``UsageError`` for a name that cannot be a profile's; None where the format has no profile."""
    shell: Shell | None = None
    """The shell whose statements it writes."""


@dataclass(frozen=True)
class Shell:
    """How a shell sets variables: a statement each, as text."""

    statement: Callable[[str, str | None], str]
    """Set a variable, or unset it where the value is None."""
    copy_unless: Callable[[str, str, str], str] | None = None
    """Copy a variable to another, unless it equals a third: ``copy_unless(source, target, third)``."""
    restore_if: Callable[[str, str, str], str] | None = None
    """Give a variable the value of another, and unset it where that is empty, if it equals a third."""


class Formats(Mapping[str, Format]):
    """The formats by name, ``json`` first; one is imported when it is looked up."""

    def __init__(self) -> None:
        names = [module.name.replace("_", "-") for module in pkgutil.iter_modules(__path__)]
        self._names = sorted(names, key=lambda name: (name != "json", name))

    def __getitem__(self, name: str) -> Format:
        if name not in self._names:
            raise KeyError(name)
        from importlib import import_module

        found = import_module(f"{__name__}.{name.replace('-', '_')}").FORMAT
        assert isinstance(found, Format)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


FORMATS: Mapping[str, Format] = Formats()


def writer(
    name: str,
    venue: Venue,
    *,
    profile_name: str | None = None,
    several: bool = False,
    endpoint: Callable[[], Endpoint | None] = lambda: None,
) -> Callable[[AssumedRole], str]:
    """What writes a venue's tokens in a format; asked for before a token is issued, so that nothing is issued in vain.

    :param profile_name: None takes the venue's name.
    :param several: whether it is to write more than one.
    :param endpoint: the venue's endpoint, asked for again when a token is written: the emulator chooses its port as it
        starts.
    :raises UsageError: there is no such format, or it is not one for this.
    """
    from venue_access.errors import UsageError

    chosen = format_called(name)
    if several and not chosen.several:
        fit = " or ".join(each for each, other in FORMATS.items() if other.several)
        raise UsageError(f"--format {name} is for one user at a time", hint=f"for several take {fit}")
    if profile_name is not None:
        if chosen.check_profile_name is None:
            raise UsageError(f"--format {name} has no profile", hint="--profile-name goes with --format ini")
        chosen.check_profile_name(profile_name)
    terms = FormatOptions(venue.region, venue.name if profile_name is None else profile_name, several)
    _check_endpoint(name, replace(terms, endpoint=endpoint()))
    return lambda token: chosen.write(token, replace(terms, endpoint=endpoint()))


def _check_endpoint(name: str, terms: FormatOptions) -> None:
    """Check that a format can hold an endpoint, before a token is issued.

    :raises UsageError: it cannot: the path of the CA file has a character that the format has no notation for.
    """
    if terms.endpoint is None:
        return
    from datetime import datetime, timezone

    from venue_access.aws.client import AssumedRole, Credentials
    from venue_access.errors import DeliveryError, UsageError
    from venue_access.sensitive import Secret

    keys = Credentials("id", Secret("x"), Secret("x"))
    try:
        FORMATS[name].write(AssumedRole("arn", "id", keys, datetime(2000, 1, 1, tzinfo=timezone.utc)), terms)
    except DeliveryError as error:
        where = terms.endpoint.ca_file or terms.endpoint.url
        raise UsageError(
            f"--format {name} cannot hold the path {str(where)!r}, which the token needs",
            hint="use --format json, or another work directory",
        ) from error


def format_called(name: str) -> Format:
    """The format of ``--format``.

    :raises UsageError: there is no such one.
    """
    from venue_access.errors import UsageError

    if name not in FORMATS:
        from venue_access.inventory.suggestions import did_you_mean

        raise UsageError(
            f"there is no format {name!r}{did_you_mean(name, FORMATS)}", hint=f"the formats are: {', '.join(FORMATS)}"
        )
    return FORMATS[name]


def aws_json(token: AssumedRole) -> dict[str, Any]:
    """What ``aws sts assume-role`` prints; ``PackedPolicySize`` only where AWS measured a policy or tags."""
    from venue_access.times import iso

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
