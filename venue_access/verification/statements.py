"""Two policies compared by what they mean: the order of lists, and whether one value stands in a list, is nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from venue_access.masked import MASK
from venue_access.policies import Policy
from venue_access.verification.report import Check

_SAME = "the inventory's"


def compare_policies(
    what: str, expected: Policy, live: Mapping[str, Any], *, sids_matter: bool = False
) -> Iterator[Check]:
    """A check for each statement of either policy, and for the version of its language.

    :param what: what to call the policy.
    :param sids_matter: whether a statement under another Sid is another statement.
    """
    version = live.get("Version", "2008-10-17")
    if version != expected["Version"]:
        yield Check(f"{what}, Version", expected["Version"], str(version), False)
    wanted = [(str(each.get("Sid", "")), _elements(each)) for each in expected["Statement"]]
    there = [(str(each.get("Sid", "")), _elements(each)) for each in listed(live.get("Statement"))]
    for sid, elements in _equal_first(wanted, there, sids_matter):
        match = _take(there, sid, elements, sids_matter)
        name = f"{what}, statement {sid}"
        if match is None:
            yield Check(name, _SAME, "none", False)
        elif match == elements:
            yield Check(name, _SAME, _SAME, True)
        else:
            yield Check(name, _SAME, _difference(elements, match), False)
    for sid, elements in there:
        yield Check(f"{what}, statement {sid or 'without a Sid'}", "none", _told(elements), False)


def without_external_ids(trust_policy: Mapping[str, Any]) -> dict[str, Any]:
    """A trust policy in which each external ID is masked; that there is more than one still shows."""
    return {**trust_policy, "Statement": [_masked(each) for each in listed(trust_policy.get("Statement"))]}


def listed(value: Any) -> list[Any]:
    """What may stand in a list or for itself."""
    if value is None:
        return []
    return list(value) if isinstance(value, list) else [value]


Elements = dict[str, frozenset[str]]


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
    return MASK if count == 1 else f"{count} values"


def _elements(statement: Mapping[str, Any]) -> Elements:
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


def _equal_first(
    wanted: list[tuple[str, Elements]], there: list[tuple[str, Elements]], sids_matter: bool
) -> list[tuple[str, Elements]]:
    """Those that have an equal first, so that no other takes it by its Sid."""
    return sorted(wanted, key=lambda each: not any(_equal(each, other, sids_matter) for other in there))


def _equal(one: tuple[str, Elements], other: tuple[str, Elements], sids_matter: bool) -> bool:
    return one[1] == other[1] and (one[0] == other[0] or not sids_matter)


def _take(there: list[tuple[str, Elements]], sid: str, elements: Elements, sids_matter: bool) -> Elements | None:
    """The statement that is meant to be this one, taken out: an equal one, or the one with its Sid."""
    equal = [each for each in there if _equal((sid, elements), each, sids_matter)]
    for found in (*equal, *(each for each in there if each[0] == sid)):
        there.remove(found)
        return found[1]
    return None


def _difference(expected: Elements, live: Elements) -> str:
    parts = []
    for element in sorted({*expected, *live}):
        wanted, there = expected.get(element, frozenset()), live.get(element, frozenset())
        if more := sorted(there - wanted):
            parts.append(f"{element} has also {'; '.join(more)}")
        if fewer := sorted(wanted - there):
            parts.append(f"{element} has not {'; '.join(fewer)}")
    return ", ".join(parts)


def _told(elements: Elements) -> str:
    return ", ".join(f"{element} {'; '.join(sorted(texts))}" for element, texts in elements.items())
