"""What a policy says, however it is written: the order of lists, and a list around one value, mean nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from venue_access.sensitive import REDACTED

Elements = dict[str, frozenset[str]]


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
