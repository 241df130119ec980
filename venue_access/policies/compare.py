"""What a policy document says, however it is written, and which external IDs a trust policy accepts.

Two documents can say the same and differ in text: the order of lists and statements has no meaning, and a single value
may be in a list or by itself.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from venue_access.policies.documents import PENDING, listed, statements_of
from venue_access.sensitive import REDACTED, ExternalId

Elements = dict[str, frozenset[str]]
"""The elements of a statement, each as the set of its values."""

_EARLIER_SIDS = {"Incoming": PENDING}
"""Sids that earlier releases wrote, which a role keeps until it is provisioned again."""
_DELETED = re.compile(r"A(RO|ID)A[A-Z0-9]+")  # a role's or a user's unique ID (IAM User Guide, "IAM identifiers")


def meaning(policy: Mapping[str, Any], *, sids: bool = True) -> frozenset[Any]:
    """Return a value that is equal for two policies whose statements say the same, in any order.

    :param sids: whether statements with different Sids differ.
    """
    return frozenset(
        (each.get("Sid", "") if sids else "", frozenset(elements(each).items())) for each in statements_of(policy)
    )


def elements(statement: Mapping[str, Any]) -> Elements:
    """Return a statement's elements, save its Sid, as sets of texts; equal sets have equal meanings."""
    found: Elements = {}
    for element, value in statement.items():
        if element == "Sid":
            continue
        if element == "Condition":
            texts = {
                f"{operator} {key.lower()} = {', '.join(sorted(_text(each) for each in listed(values)))}"
                for operator, keys in value.items()
                for key, values in keys.items()
            }
        elif isinstance(value, dict):
            texts = {f"{kind} {each}" for kind, values in value.items() for each in listed(values)}
        elif element in ("Action", "NotAction"):
            texts = {each.lower() for each in listed(value)}  # IAM User Guide, "IAM JSON policy elements: Action"
        else:
            texts = {_text(each) for each in listed(value)}
        if texts:
            found[element] = frozenset(texts)
    return found


def external_ids_in(trust_policy: Mapping[str, Any]) -> dict[str, tuple[ExternalId, ...]]:
    """Return the external IDs with which a trust policy lets the role be assumed, by the Sid of their statement.

    Only a condition that a request without an external ID fails counts: a plain ``StringEquals``, or ``StringLike``
    without a wildcard. A statement without such a condition appears with no ID. A Sid of an earlier release appears
    as today's.
    """
    found: dict[str, tuple[ExternalId, ...]] = {}
    for statement in _assuming(trust_policy):
        ids = tuple(
            ExternalId(text)
            for operator, keys in statement.get("Condition", {}).items()
            if operator in ("StringEquals", "StringLike")
            for key, value in keys.items()
            if _is_external_id(key)
            for text in listed(value)
            if operator == "StringEquals" or not {"*", "?"} & set(text)
        )
        sid = _sid(statement)
        found[sid] = (*found.get(sid, ()), *ids)
    return found


def trusts_only_deleted(trust_policy: Mapping[str, Any]) -> bool:
    """Return whether a statement that lets the role be assumed names only principals that were deleted.

    IAM then shows their unique ID in place of the ARN; a principal that is re-created under the same name has another
    one (IAM User Guide, "AWS JSON policy elements: Principal").
    """
    return any(
        isinstance(principal := statement.get("Principal"), dict)
        and list(principal) == ["AWS"]
        and all(_DELETED.fullmatch(each) for each in listed(principal["AWS"]))
        for statement in _assuming(trust_policy)
    )


def without_external_ids(trust_policy: Mapping[str, Any]) -> dict[str, Any]:
    """Return a trust policy with today's Sids and redacted external IDs, several in one condition as their number."""
    statements = []
    for statement in statements_of(trust_policy):
        conditions = {
            operator: {key: _redacted(value) if _is_external_id(key) else value for key, value in keys.items()}
            for operator, keys in statement.get("Condition", {}).items()
        }
        sid = {"Sid": _sid(statement)} if "Sid" in statement else {}
        statements.append({**statement, **sid, **({"Condition": conditions} if conditions else {})})
    return {**trust_policy, "Statement": statements}


def _redacted(value: Any) -> str:
    count = len(listed(value))
    return REDACTED if count == 1 else f"{count} values"


def _is_external_id(key: str) -> bool:
    return key.lower() == "sts:externalid"  # condition keys ignore case (IAM User Guide, "... elements: Condition")


def _sid(statement: Mapping[str, Any]) -> str:
    sid = str(statement.get("Sid", ""))
    return _EARLIER_SIDS.get(sid, sid)


def _assuming(trust_policy: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the statements that allow ``sts:AssumeRole``."""
    for statement in statements_of(trust_policy):
        # Actions take wildcards and ignore case (IAM User Guide, "IAM JSON policy elements: Action").
        actions = listed(statement.get("NotAction", statement.get("Action")))
        is_named = any(fnmatchcase("sts:assumerole", action.lower()) for action in actions)
        if statement.get("Effect") == "Allow" and is_named != ("NotAction" in statement):
            yield statement


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
