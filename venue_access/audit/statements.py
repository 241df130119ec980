"""Two policies compared statement by statement, by what they mean."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from venue_access.audit.report import Check
from venue_access.policies.compare import Elements, elements
from venue_access.policies.documents import Policy, statements_of

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
    wanted = [(str(each.get("Sid", "")), elements(each)) for each in expected["Statement"]]
    there = [(str(each.get("Sid", "")), elements(each)) for each in statements_of(live)]
    for sid, parts in _equal_first(wanted, there, sids_matter):
        match = _take(there, sid, parts, sids_matter)
        name = f"{what}, statement {sid}"
        if match is None:
            yield Check(name, _SAME, "none", False)
        elif match == parts:
            yield Check(name, _SAME, _SAME, True)
        else:
            yield Check(name, _SAME, _difference(parts, match), False)
    for sid, parts in there:
        yield Check(f"{what}, statement {sid or 'without a Sid'}", "none", _told(parts), False)


def _equal_first(
    wanted: list[tuple[str, Elements]], there: list[tuple[str, Elements]], sids_matter: bool
) -> list[tuple[str, Elements]]:
    """Those that have an equal first, so that no other takes it by its Sid."""
    return sorted(wanted, key=lambda each: not any(_equal(each, other, sids_matter) for other in there))


def _equal(one: tuple[str, Elements], other: tuple[str, Elements], sids_matter: bool) -> bool:
    return one[1] == other[1] and (one[0] == other[0] or not sids_matter)


def _take(there: list[tuple[str, Elements]], sid: str, parts: Elements, sids_matter: bool) -> Elements | None:
    """The statement that is meant to be this one, taken out: an equal one, or the one with its Sid."""
    equal = [each for each in there if _equal((sid, parts), each, sids_matter)]
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


def _told(parts: Elements) -> str:
    return ", ".join(f"{element} {'; '.join(sorted(texts))}" for element, texts in parts.items())
