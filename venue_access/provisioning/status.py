"""The status of venues: provisioned or not, age and rotation of the external ID, who has an outdated one.

Also the provisioned venues as an Ansible dynamic inventory (Ansible Developer Guide, "Developing dynamic inventory").
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from venue_access.aws.client import AwsClient, Parameter
from venue_access.aws.parameters import secure_string_steps
from venue_access.aws.sessions import caller_in_account
from venue_access.aws.types import SECURE_STRING
from venue_access.errors import AwsError, VenueAccessError
from venue_access.inventory.model import Venue
from venue_access.ledger.chain import Kind, Record
from venue_access.provisioning.venue_snapshot import Stage, grace_until, read_snapshot, rotation_state
from venue_access.sensitive import ExternalId
from venue_access.times import iso, to_minute

_THREADS = 16
_CLOCK_SKEW = timedelta(minutes=5)  # AWS refuses a call whose clock differs by more

History = Mapping[int, Parameter]
"""The versions of an SSM parameter, by number."""


@dataclass(frozen=True)
class Holders:
    """Recipients of an external ID that is not in use any more, in order of name."""

    outdated: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    """Those for whom it is not known."""
    reason: str = ""
    """Why it is not known."""

    def described(self) -> str:
        """Return this as the end of a line; empty if nobody has an outdated ID."""
        old = f"; an old external ID is held by {', '.join(self.outdated)}" if self.outdated else ""
        who = ", ".join(self.unknown)
        return f"{old}; not known whether an old one is held by {who}: {self.reason}" if self.unknown else old


@dataclass
class VenueStatus:
    """One venue's status; never an ID."""

    venue: Venue
    stage: Stage | None
    reason: str = ""
    external_id_age: timedelta | None = None
    role_maximum: int | None = None
    """Seconds."""
    holders: Holders = field(default_factory=Holders)
    parameter_type: str | None = None
    grace_until: datetime | None = None
    """When the grace period of a rotation ends, if one is in progress; UTC."""
    error: VenueAccessError | None = None

    @property
    def advice(self) -> str | None:
        """Return how to encrypt an external ID that is not encrypted."""
        return secure_string_steps(self.venue) if self.parameter_type not in (None, SECURE_STRING) else None

    def document(self) -> dict[str, Any]:
        """Return the venue's part of the ``--json`` document."""
        age = self.external_id_age
        return {
            "provisioned": None if self.stage is None else self.stage is not Stage.ABSENT,
            "external_id": None if self.stage is None else self.stage.value,
            "rotating": self.stage is not None and self.stage.rotating,
            "grace_until": None if self.grace_until is None else iso(self.grace_until),
            "external_id_age_seconds": None if age is None else int(age.total_seconds()),
            "external_id_parameter_type": self.parameter_type,
            "outdated_external_id": list(self.holders.outdated),
            "unknown_external_id": list(self.holders.unknown),
            "max_session_duration": self.role_maximum,
            "role_arn": self.venue.role_arn,
            "error": None if self.error is None else str(self.error),
        }

    def line(self) -> str:
        """Return one line of the table."""
        name = self.venue.name
        if self.error is not None:
            return f"{name}: unknown: {self.error.message}"
        if self.stage is None or self.stage is Stage.ABSENT:
            why = f": {self.reason}: re-create it with invoke provision" if self.reason else ""
            return f"{name}: not provisioned{why}"
        age = "" if self.external_id_age is None else f", external ID {_age(self.external_id_age)} old"
        grace = "" if self.grace_until is None else f" (grace period until {to_minute(self.grace_until)})"
        rotation = {
            Stage.STABLE: "",
            Stage.PENDING: "; rotation in progress: pending, the old external ID is in use",
            Stage.PROMOTED: f"; rotation in progress: promoted, the old external ID is still accepted{grace}",
            Stage.PARAMETER_LOST: "; its SSM parameter is missing: restore it with invoke provision",
            Stage.BROKEN: f"; broken: {self.reason}",
        }[self.stage]
        plain = "" if self.advice is None else f"; its SSM parameter is a {self.parameter_type}"
        tokens = f"tokens for up to {self.role_maximum} s"
        return f"{name}: provisioned{age}, {tokens}{rotation}{plain}{self.holders.described()}"


def _age(age: timedelta) -> str:
    minutes = int(age.total_seconds()) // 60
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 60 * 48 else f"{minutes // 1440} days"


def venue_statuses(
    client: Callable[[Venue], AwsClient], venues: Sequence[Venue], now: datetime, records: Sequence[Record] = ()
) -> list[VenueStatus]:
    """Return the status of venues, in their order; an account that cannot be reached is the ``error`` of its venues.

    :param client: returns a client of a venue's account.
    :param now: with a time zone.
    :param records: of the venues' ledgers: who has received an external ID.
    """

    def status(venue: Venue) -> VenueStatus:
        try:
            aws = client(venue)
            snapshot = read_snapshot(aws, venue)
            if snapshot.role is None:
                caller_in_account(aws, venue)  # in another account nothing seems to exist
        except VenueAccessError as error:
            return VenueStatus(venue, None, error=error)
        state = rotation_state(snapshot)
        status = VenueStatus(venue, state.stage, state.reason)
        if snapshot.role is not None:
            status.role_maximum = snapshot.role.max_session_duration
        if state.stage is Stage.PROMOTED:
            status.grace_until = grace_until(snapshot)
        if snapshot.parameter is not None:
            status.external_id_age = max(now - snapshot.parameter.modified, timedelta())
            status.parameter_type = snapshot.parameter.type
            status.holders = holders_of(records, venue, snapshot.parameter, lambda: read_history(aws, venue))
        return status

    with ThreadPoolExecutor(_THREADS) as pool:
        return list(pool.map(status, venues))


def holders_of(
    records: Sequence[Record], venue: Venue, parameter: Parameter, history: Callable[[], History]
) -> Holders:
    """Compare the external IDs that recipients have with the one in use, by value.

    A version number says little: any change of the parameter's attributes raises it, and a parameter that was
    re-created, perhaps with the same ID, counts from 1.

    :param records: of the venue's ledger: who has received an external ID.
    :param history: reads the parameter's versions; called only if a recipient has another than the last version.
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
    known = [name for name in earlier if name not in unknown]
    outdated = [name for name in known if versions[latest[name].parameter_version or 0].value != parameter.value]
    reason = "the parameter's history does not go back to the version they received" if unknown else ""
    return Holders(tuple(outdated), tuple(unknown), reason)


def _is_of(record: Record, versions: History) -> bool:
    """Return whether ``versions`` has the recorded version, and not a later one of the same number."""
    version = versions.get(record.parameter_version or 0)
    return version is not None and record.when >= version.modified - _CLOCK_SKEW


def read_history(aws: AwsClient, venue: Venue) -> History:
    """Read the versions of a venue's external-ID parameter; SSM keeps the last hundred.

    :raises AccessDenied: the caller may not read them.
    """
    pages = aws.pages("ssm", "get_parameter_history", Name=venue.external_id_parameter, WithDecryption=True)
    return {
        each["Version"]: Parameter(ExternalId(each["Value"]), each["Version"], each["LastModifiedDate"])
        for page in pages
        for each in page["Parameters"]
    }


def provisioned_only(listed: Mapping[str, Any], statuses: Sequence[VenueStatus]) -> dict[str, Any]:
    """Return what ``ansible-inventory --list`` prints, limited to the provisioned venues.

    :param listed: the same document of the whole inventory. To a venue's variables are added those that a playbook
        needs, whose names begin with ``venue_``. A venue is not a machine, so its connection is local.
    """
    provisioned = {each.venue.name: each for each in statuses if each.stage not in (None, Stage.ABSENT)}
    variables = listed["_meta"]["hostvars"]
    hostvars = {
        name: {
            "ansible_connection": "local",
            **variables.get(name, {}),
            "venue_role_arn": status.venue.role_arn,
            "venue_external_id_parameter": status.venue.external_id_parameter,
            "venue_s3_buckets": list(status.venue.s3_buckets or ()),
            "venue_ecr_repository_prefixes": list(status.venue.ecr_repository_prefixes),
            "venue_max_session_duration": status.role_maximum,
            "venue_rotating": status.stage is not None and status.stage.rotating,
        }
        for name, status in provisioned.items()
    }
    document: dict[str, Any] = {"_meta": {"hostvars": hostvars}}
    for group, about in listed.items():
        if group != "_meta":
            document[group] = dict(about)
            if "hosts" in about:
                document[group]["hosts"] = [host for host in about["hosts"] if host in provisioned]
    return document
