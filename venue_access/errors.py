"""The errors of the kit, each with the exit code of the command.

    VenueAccessError
     +-- UsageError              2   a wrong name, a value that AWS would refuse, a missing prerequisite
     |    +-- InventoryError         the inventory is invalid; carries every problem found
     +-- RenderError             3   a template cannot be rendered
     +-- TerraformError          4   Terraform failed, or AWS refused one of its calls
     |    +-- StateLocked            another run holds the lock of its state
     +-- AwsError                5   AWS refused a call of the kit
     |    +-- AccessDenied           AWS knows the caller and does not allow the call
     |    +-- ServiceUnavailable     AWS throttles or fails, also after retries
     |    +-- CredentialsError       no credentials, or wrong or expired ones, or those of another account
     |    +-- ConnectionFailed       no response of AWS: no network, an untrusted endpoint, a time limit
     +-- DeliveryError           6   a token was issued but not delivered
     +-- CheckFailed             7   a check found a difference
     +-- Interrupted           130   Ctrl-C

Any other exception that escapes is a bug, and shows its traceback (exit 1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

NEW_CREDENTIALS = "get new credentials from your account portal, export them, and run the command again"
"""The remedy for credentials that are missing, invalid or expired."""
SET_THE_CLOCK = "set this machine's clock, and run the command again; invoke doctor shows by how much it is off"
"""The remedy for a clock that AWS does not accept."""
_MOST_SHOWN = 30
_LONGEST = 600


def printable(text: str) -> str:
    """Return ``text`` with control characters and direction marks escaped, which a terminal would act on."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


class VenueAccessError(Exception):
    """An error for the user: ``message`` has the problem and the place, ``hint`` the remedy."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message if self.hint is None else f"{self.message}\n  {self.hint}"


class UsageError(VenueAccessError):
    """A wrong name, a value that AWS would refuse, or a missing prerequisite."""

    exit_code = 2


@dataclass(frozen=True)
class Problem:
    """One problem of an inventory, and its place."""

    message: str
    """The problem, and the expected value."""
    file: Path | None = None
    venue: str | None = None
    key: str | None = None
    line: int | None = None
    """From 1."""

    def __str__(self) -> str:
        file = str(self.file) if self.file else ""
        where = [f"{file}:{self.line}" if file and self.line else file, self.venue or "", self.key or ""]
        parts = [*filter(None, where), self.message]
        # A long part loses its middle: its end has the remedy.
        short = [part if len(part) <= _LONGEST else f"{part[: _LONGEST - 200]} ... {part[-200:]}" for part in parts]
        return ": ".join(map(printable, short))


class InventoryError(UsageError):
    """The inventory is invalid; ``problems`` has every problem found."""

    def __init__(self, problems: Sequence[Problem], *, limit: int = _MOST_SHOWN) -> None:
        self.problems = tuple(problems)
        count = len(self.problems)
        head = [] if count == 1 else [f"the inventory has {count} problems:"]
        shown = [*map(str, self.problems[:limit])]
        rest = [f"and {count - limit} more; see all with: invoke inventory.check"] if count > limit else []
        super().__init__("\n  ".join([*head, *shown, *rest]))


class RenderError(VenueAccessError):
    """A template cannot be rendered."""

    exit_code = 3


class TerraformError(VenueAccessError):
    """Terraform failed, or AWS refused one of its calls; ``venues`` names the venues concerned, if not all."""

    exit_code = 4

    def __init__(self, message: str, *, hint: str | None = None, venues: frozenset[str] = frozenset()) -> None:
        super().__init__(message, hint=hint)
        self.venues = venues


class StateLocked(TerraformError):
    """Another run holds the lock of a Terraform state."""


class AwsError(VenueAccessError):
    """AWS refused a call of the kit; ``code`` is AWS's error code, if it sent one."""

    exit_code = 5

    def __init__(self, message: str, *, hint: str | None = None, code: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.code = code


class AccessDenied(AwsError):
    """AWS knows the caller and does not allow the call."""


class ServiceUnavailable(AwsError):
    """AWS throttles or fails, also after retries: the request and the credentials are right."""


class CredentialsError(AwsError):
    """There are no credentials, AWS does not accept them, or they are of another account."""


class ConnectionFailed(AwsError):
    """AWS did not respond: no network, an endpoint that is not AWS's or not trusted, a time limit."""


NO_ANSWER = (ServiceUnavailable, CredentialsError, ConnectionFailed)
"""The errors that do not show what AWS did, or would have done."""


class DeliveryError(VenueAccessError):
    """A token was issued but not delivered."""

    exit_code = 6


class CheckFailed(VenueAccessError):
    """A check found a difference."""

    exit_code = 7


class Interrupted(VenueAccessError):
    """Ctrl-C ended the run; the message says in which state."""

    exit_code = 130


def of_the_system(error: OSError) -> UsageError:
    """Return the error for a file operation that the system refused, such as on a folder in place of a file."""
    return UsageError(f"{error.filename}: {error.strerror}" if error.filename else str(error))
