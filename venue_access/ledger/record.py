"""The records of the ledger: frozen values, and the one text that each has."""

from __future__ import annotations

import enum
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from venue_access.times import iso, parse_iso


class Kind(enum.Enum):
    """What a record tells of."""

    START = "start"
    """The first of a ledger in S3, which shows that it can be written."""
    ISSUE = "issue"
    REFUSAL = "refusal"
    """AWS refused a token."""
    DELIVERY = "delivery"
    """A token that was issued reached its recipient, or the file that is for them."""
    EXTERNAL_ID = "external-id"
    """An external ID was handed to a requester."""
    REVOCATION = "revocation"
    ROTATION = "rotation"
    PROOF = "proof"
    """The sessions that one run of the kit opened to prove something, and gave to nobody."""


@dataclass(frozen=True)
class Record:
    """One thing that happened at a venue; what does not apply is None."""

    kind: Kind
    when: datetime
    """UTC."""
    operator: str
    """The caller's ARN; ``access key ASIA...`` where AWS did not tell it."""
    operator_access_key_id: str
    """By which CloudTrail names the operator's session."""
    venue: str
    role_arn: str
    recipient: str | None = None
    role_session_name: str | None = None
    access_key_id: str | None = None
    """The token's."""
    expires: datetime | None = None
    """When the token does, or the revocation; UTC."""
    scope: str | None = None
    """What the token was scoped to, in a few words."""
    reason: str | None = None
    delivery: str | None = None
    """``printed``, ``file``, ``age``, ``age-passphrase``, ``smime``, ``console``: how it is handed over."""
    key_fingerprints: tuple[str, ...] = ()
    """Of the recipient's keys that it was encrypted to."""
    parameter_version: int | None = None
    """Of the SSM parameter, where an external ID was handed out: a later version holds another ID."""
    error: str | None = None
    """AWS's code for a refusal."""
    policy: str | None = None
    """The inline policy of a revocation."""
    revokes: str | None = None
    """What was revoked: ``session``, ``user`` or ``all``; ``undo`` where a revocation was taken back."""
    issued_before: datetime | None = None
    """The tokens revoked are those that were issued before this; UTC."""
    stage: str | None = None
    """Where a rotation ended."""
    command: str | None = None
    """The command whose proofs these are."""
    proof_session_names: tuple[str, ...] = ()
    """The role session name of each proof, ..."""
    proof_access_key_ids: tuple[str, ...] = ()
    """... and its access key ID, in the same order."""

    def document(self) -> dict[str, Any]:
        """The record as JSON has it: the usual keys always, those of few kinds only where they apply."""
        found: dict[str, Any] = {}
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name in _OF_FEW_KINDS and value in (None, ()):
                continue
            if isinstance(value, datetime):
                value = iso(value)
            elif isinstance(value, enum.Enum):
                value = value.value
            found[field.name] = list(value) if isinstance(value, tuple) else value
        return found

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Record:
        """The record that ``document()`` gave; keys of a later version are left out.

        :raises ValueError: it is none.
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
            raise ValueError(f"no record: {error}") from error
        for field in fields(cls):
            if not _is_of_type(getattr(record, field.name), str(field.type)):
                raise ValueError(f"no record: {field.name} is not {field.type}")
        return record


_OF_FEW_KINDS = {
    *("parameter_version", "error", "policy", "revokes", "issued_before", "stage"),
    *("command", "proof_session_names", "proof_access_key_ids"),
}


_TYPES = {"str": str, "int": int, "datetime": datetime, "Kind": Kind}


def _is_of_type(value: object, annotation: str) -> bool:
    """Return whether a value is what a field of ``Record`` is annotated with: anybody may have written it."""
    if isinstance(value, tuple):
        return annotation.startswith("tuple") and all(isinstance(each, str) for each in value)
    name, _, optional = annotation.partition(" | ")
    return isinstance(value, _TYPES[name]) or (value is None and optional == "None")


def canonical(document: Mapping[str, Any]) -> str:
    """The one text of a JSON document: sorted keys, no spaces, ASCII, no line break.

    :raises TypeError: it holds what JSON has not; a ``SensitiveStr`` value above all.
    """
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
