"""What a policy says, however it is written: the order of lists, and a list around one value, mean nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from venue_access.policies.documents import PENDING
from venue_access.sensitive import REDACTED, ExternalId

Elements = dict[str, frozenset[str]]

_EARLIER_SIDS = {"Incoming": PENDING}
_DELETED = re.compile(r"A(RO|ID)A[A-Z0-9]+")  # a role's or a user's unique ID (IAM User Guide, "IAM identifiers")


def meaning(policy: Mapping[str, Any], *, sids: bool = True) -> frozenset[Any]:
    """Equal for two policies whose statements say the same, in any order.

    :param sids: whether a statement under another Sid is another statement.
    """
    return frozenset(
        (each.get("Sid", "") if sids else "", frozenset(elements(each).items()))
        for each in listed(policy.get("Statement"))
    )


def without_external_ids(trust_policy: Mapping[str, Any]) -> dict[str, Any]:
    """A trust policy in which each external ID is masked; that there is more than one still shows."""
    return {**trust_policy, "Statement": [_masked(each) for each in listed(trust_policy.get("Statement"))]}


def listed(value: Any) -> list[Any]:
    """What may stand in a list or for itself."""
    if value is None:
        return []
    return list(value) if isinstance(value, list) else [value]


def _masked(statement: Mapping[str, Any]) -> dict[str, Any]:
    conditions = {
        operator: {
            # Condition keys ignore case (IAM User Guide, "IAM JSON policy elements: Condition").
            key: _mask(value) if key.lower() == "sts:externalid" else value
            for key, value in keys.items()
        }
        for operator, keys in statement.get("Condition", {}).items()
    }
    return {**statement, **({"Condition": conditions} if conditions else {})}


def _mask(value: Any) -> str:
    count = len(listed(value))
    return REDACTED if count == 1 else f"{count} values"


def elements(statement: Mapping[str, Any]) -> Elements:
    """A statement's elements as sets of texts, in which equal meanings are equal."""
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


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def external_ids_in(trust_policy: Mapping[str, Any]) -> dict[str, tuple[ExternalId, ...]]:
    """Return the external IDs that let a caller assume the role, by the Sid of their statement.

    Only a condition that fails without an external ID counts: ``StringEquals``, or ``StringLike`` without a wildcard. A
    statement without such a condition has no ID. The earlier Sid ``Incoming`` is returned as ``Pending``.
    """
    found: dict[str, tuple[ExternalId, ...]] = {}
    for statement in _assume_statements(trust_policy):
        ids = tuple(
            ExternalId(text)
            for operator, keys in statement.get("Condition", {}).items()
            if operator in ("StringEquals", "StringLike")
            for key, value in keys.items()
            if key.lower() == "sts:externalid"  # condition keys ignore case (IAM User Guide)
            for text in listed(value)
            if operator == "StringEquals" or not {"*", "?"} & set(text)
        )
        sid = statement.get("Sid", "")
        sid = _EARLIER_SIDS.get(sid, sid)
        found[sid] = (*found.get(sid, ()), *ids)
    return found


def trusts_only_deleted(trust_policy: Mapping[str, Any]) -> bool:
    """Return whether a statement trusts only principals that were deleted.

    IAM then shows the unique ID instead of the ARN; a principal re-created under the same name has another (IAM User
    Guide, "AWS JSON policy elements: Principal").
    """
    principals = [statement.get("Principal") for statement in _assume_statements(trust_policy)]
    return any(
        isinstance(principal, dict)
        and list(principal) == ["AWS"]
        and all(_DELETED.fullmatch(each) for each in listed(principal["AWS"]))
        for principal in principals
    )


def _assume_statements(policy: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the statements that allow ``sts:AssumeRole``."""
    for statement in listed(policy.get("Statement")):
        # Actions take wildcards and ignore case (IAM User Guide, "IAM JSON policy elements: Action").
        actions = listed(statement.get("NotAction", statement.get("Action")))
        named = any(fnmatchcase("sts:assumerole", action.lower()) for action in actions)
        if statement.get("Effect") == "Allow" and named != ("NotAction" in statement):
            yield statement
