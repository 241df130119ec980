"""The failures that a person is meant to read, each with the exit code of the command.

    VenueAccessError
     +-- UsageError              2   what was asked for cannot be
     |    +-- InventoryError         the inventory is wrong; carries every problem found
     +-- RenderError             3   a template could not be rendered
     +-- TerraformError          4   Terraform failed, or AWS refused something to it
     |    +-- StateLocked            another run holds the lock of its state
     +-- AwsError                5   AWS refused the kit, or could not be reached
     |    +-- AccessDenied           AWS knows the caller and does not allow the call
     |    +-- ServiceUnavailable     AWS throttles or fails, also after retries
     |    +-- Unreachable            no credentials, invalid credentials, the wrong account, no network
     +-- DeliveryError           6   a token was issued but could not be delivered
     +-- CheckFailed             7   a check found a difference
     +-- Interrupted           130   Ctrl-C

Anything else that escapes is a bug, and shows its traceback (exit 1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_MOST_SHOWN = 30
_LONGEST = 600


def printable(text: str) -> str:
    """``text`` with what a terminal would obey, or show as something else, written out: control and direction marks."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def _shortened(text: str) -> str:
    """``text`` without its middle where it is long: the end says what to do."""
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 200]} ... {text[-200:]}"


class VenueAccessError(Exception):
    """Something a person can mend: ``message`` says what and where, ``hint`` what to do next."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message if self.hint is None else f"{self.message}\n  {self.hint}"


class UsageError(VenueAccessError):
    """What was asked for cannot be: a wrong name, a value AWS would refuse."""

    exit_code = 2


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong in an inventory, and where."""

    message: str
    """What is wrong and what was expected."""
    file: Path | None = None
    venue: str | None = None
    key: str | None = None
    line: int | None = None
    """From 1."""

    def __str__(self) -> str:
        file = str(self.file) if self.file else ""
        where = [f"{file}:{self.line}" if file and self.line else file, self.venue or "", self.key or ""]
        return ": ".join(printable(_shortened(part)) for part in [*filter(None, where), self.message])


class InventoryError(UsageError):
    """The inventory is wrong; every problem found is in ``problems``."""

    def __init__(self, problems: Sequence[Problem], *, limit: int = _MOST_SHOWN) -> None:
        self.problems = tuple(problems)
        count = len(self.problems)
        head = [] if count == 1 else [f"the inventory has {count} problems:"]
        shown = [*map(str, self.problems[:limit])]
        rest = [f"and {count - limit} more; see all with: invoke inventory.check"] if count > limit else []
        super().__init__("\n  ".join([*head, *shown, *rest]))


class RenderError(VenueAccessError):
    """A template could not be rendered."""

    exit_code = 3


class TerraformError(VenueAccessError):
    """Terraform failed, or AWS refused something to it; ``venues`` names those it is about, where not all are."""

    exit_code = 4

    def __init__(self, message: str, *, hint: str | None = None, venues: frozenset[str] = frozenset()) -> None:
        super().__init__(message, hint=hint)
        self.venues = venues


class StateLocked(TerraformError):
    """Somebody else holds the lock of a Terraform state."""


class AwsError(VenueAccessError):
    """AWS refused a call of the kit's own; ``code`` is AWS's error code, where it gave one."""

    exit_code = 5

    def __init__(self, message: str, *, hint: str | None = None, code: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.code = code


class AccessDenied(AwsError):
    """AWS knows the caller and does not allow the call."""


class ServiceUnavailable(AwsError):
    """AWS throttles or fails, also after retries: neither the request nor the keys are to blame."""


class Unreachable(AwsError):
    """The account could not be reached with these keys: none, expired, of another account, no network."""


class DeliveryError(VenueAccessError):
    """A token was issued but could not be delivered."""

    exit_code = 6


class CheckFailed(VenueAccessError):
    """A check found a difference."""

    exit_code = 7


class Interrupted(VenueAccessError):
    """Ctrl-C ended the run; the message says how things were left."""

    exit_code = 130


def of_the_system(error: OSError) -> UsageError:
    """What the system refuses of a file that nobody foresaw, such as a folder where a file was."""
    return UsageError(f"{error.filename}: {error.strerror}" if error.filename else str(error))
