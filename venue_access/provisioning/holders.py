"""Who holds an external ID that has been replaced since, as far as the ledger and SSM can show."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from venue_access.aws.client import AwsClient, Parameter
from venue_access.errors import AwsError
from venue_access.inventory.model import Venue
from venue_access.ledger.record import Kind, Record
from venue_access.sensitive import ExternalId

_CLOCKS = timedelta(minutes=5)  # AWS takes no call by a clock that is further off than this

History = Mapping[int, Parameter]
"""The versions of an SSM parameter, by number."""


@dataclass(frozen=True)
class Holders:
    """Who was handed an external ID other than the one in use, in order of name."""

    outdated: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    """Those of whom it cannot be told, ..."""
    reason: str = ""
    """... and why."""

    def described(self) -> str:
        """Return this as the end of a line; nothing where nobody holds an old one."""
        old = f"; an old external ID is held by {', '.join(self.outdated)}" if self.outdated else ""
        who = ", ".join(self.unknown)
        return f"{old}; not known whether an old one is held by {who}: {self.reason}" if self.unknown else old


def holders(records: Sequence[Record], venue: Venue, parameter: Parameter, history: Callable[[], History]) -> Holders:
    """Compare the external IDs that were handed out with the one in use, by their values.

    A version says little: any change of the parameter's attributes raises it, and a parameter that was deleted and made
    again, perhaps with the same ID, counts from 1.

    :param records: of the venue's ledger: whom external IDs were handed to.
    :param history: reads the parameter's versions; called only where the last version is not the one handed out.
    """
    latest: dict[str, Record] = {}
    for record in sorted(records, key=lambda record: record.when):
        if record.kind is Kind.EXTERNAL_ID and record.role_arn == venue.role_arn:
            latest[record.recipient or ""] = record

    versions: History = {parameter.version: parameter}
    earlier = [name for name, record in sorted(latest.items()) if not _is_of(record, versions)]
    if earlier:
        try:
            versions = {**history(), **versions}
        except AwsError as error:
            return Holders(unknown=tuple(earlier), reason=error.message)
    unknown = [name for name in earlier if not _is_of(latest[name], versions)]
    old = [name for name in earlier if name not in unknown and _value(latest[name], versions) != parameter.value]
    reason = "the parameter's history does not go back to what they were handed" if unknown else ""
    return Holders(tuple(old), tuple(unknown), reason)


def read_history(aws: AwsClient, venue: Venue) -> History:
    """Read the versions of a venue's external-ID parameter; SSM keeps the last hundred.

    :raises AccessDenied: the caller may not read them.
    """
    pages = aws.pages("ssm", "get_parameter_history", Name=venue.external_id_parameter, WithDecryption=True)
    found = [
        Parameter(ExternalId(each["Value"]), each["Version"], each["LastModifiedDate"])
        for page in pages
        for each in page["Parameters"]
    ]
    return {parameter.version: parameter for parameter in found}


def _is_of(record: Record, versions: History) -> bool:
    """Whether the version that was handed out is among these, and not one that was made later under its number."""
    version = versions.get(record.parameter_version or 0)
    return version is not None and record.when >= version.modified - _CLOCKS


def _value(record: Record, versions: History) -> ExternalId:
    return versions[record.parameter_version or 0].value
