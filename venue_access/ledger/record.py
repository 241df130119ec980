"""The records of the ledger, and their canonical JSON."""

from __future__ import annotations

import enum
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from venue_access.times import iso, parse_iso


class Kind(enum.Enum):
    """The kind of a record."""

    START = "start"
    """The first record of a ledger in S3; it shows that records can be written."""
    ISSUE = "issue"
    REFUSAL = "refusal"
    """AWS refused a token."""
    DELIVERY = "delivery"
    """An issued token was delivered to its recipient, or written to their file."""
    EXTERNAL_ID = "external-id"
    """An external ID was sent to a requester."""
    REVOCATION = "revocation"
    ROTATION = "rotation"
    PROOF = "proof"
    """One run of the kit assumed the role to verify it; nobody received these sessions."""


@dataclass(frozen=True)
class Record:
    """One event at a venue; fields that do not apply are None."""

    kind: Kind
    when: datetime
    """UTC."""
    operator: str
    """The caller's ARN; ``access key ASIA...`` if AWS did not return one."""
    operator_access_key_id: str
    """Identifies the operator's session in CloudTrail."""
    venue: str
    role_arn: str
    recipient: str | None = None
    role_session_name: str | None = None
    access_key_id: str | None = None
    """The token's."""
    expires: datetime | None = None
    """When the token or the revocation expires; UTC."""
    scope: str | None = None
    """A summary of the token's scope."""
    reason: str | None = None
    delivery: str | None = None
    """``printed``, ``file``, ``age``, ``age-passphrase``, ``smime``, ``console``: the delivery method."""
    key_fingerprints: tuple[str, ...] = ()
    """The recipient keys that it was encrypted to."""
    parameter_version: int | None = None
    """The SSM parameter's version when an external ID was sent: a later version has another ID."""
    error: str | None = None
    """AWS's error code of a refusal."""
    policy: str | None = None
    """The inline policy of a revocation."""
    revokes: str | None = None
    """What was revoked: ``session``, ``user`` or ``all``; ``undo`` if a revocation was undone."""
    issued_before: datetime | None = None
    """Tokens issued before this time are revoked; UTC."""
    stage: str | None = None
    """The state in which a rotation ended."""
    command: str | None = None
    """The command that ran the proof."""
    proof_session_names: tuple[str, ...] = ()
    """The role session name of each proof session."""
    proof_access_key_ids: tuple[str, ...] = ()
    """The access key ID of each proof session, in the same order."""

    def document(self) -> dict[str, Any]:
        """Return the record as a JSON document; keys that few kinds have are left out unless set."""
        found: dict[str, Any] = {}
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name in _OPTIONAL and value in (None, ()):
                continue
            if isinstance(value, datetime):
                value = iso(value)
            elif isinstance(value, enum.Enum):
                value = value.value
            found[field.name] = list(value) if isinstance(value, tuple) else value
        return found

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Record:
        """Parse a record that ``document()`` returned; keys of a later version are ignored.

        :raises ValueError: it is malformed.
        """
        known = {field.name for field in fields(cls)}
        given = {key: value for key, value in document.items() if key in known}
        try:
            for key in ("when", "expires", "issued_before"):
                if given.get(key) is not None:
                    given[key] = parse_iso(given[key])
            given["kind"] = Kind(given["kind"])
            for key in ("key_fingerprints", "proof_session_names", "proof_access_key_ids"):
                given[key] = tuple(given.get(key, ()))
            record = cls(**given)
        except (KeyError, TypeError) as error:
            raise ValueError(f"invalid record: {error}") from error
        for field in fields(cls):
            if not _is_of_type(getattr(record, field.name), str(field.type)):
                raise ValueError(f"invalid record: {field.name} is not {field.type}")
        return record


_OPTIONAL = {
    *("parameter_version", "error", "policy", "revokes", "issued_before", "stage"),
    *("command", "proof_session_names", "proof_access_key_ids"),
}


_TYPES = {"str": str, "int": int, "datetime": datetime, "Kind": Kind}


def _is_of_type(value: object, annotation: str) -> bool:
    """Return whether a value has the type of a field of ``Record``: the ledger is untrusted input."""
    if isinstance(value, tuple):
        return annotation.startswith("tuple") and all(isinstance(each, str) for each in value)
    name, _, optional = annotation.partition(" | ")
    return isinstance(value, _TYPES[name]) or (value is None and optional == "None")


def canonical(document: Mapping[str, Any]) -> str:
    """Return the canonical text of a JSON document: sorted keys, no spaces, ASCII, no line break.

    :raises TypeError: it contains a value that JSON lacks, such as a ``SensitiveStr``.
    """
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
