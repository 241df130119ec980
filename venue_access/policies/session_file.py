"""Check a session policy that an operator wrote: AWS says of one that it refuses only that it is malformed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from venue_access.errors import UsageError
from venue_access.policies.documents import VERSION, Policy, listed, statements_of

_ELEMENTS = {"Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition"}
_VERSIONS = (VERSION, "2008-10-17")


@dataclass(frozen=True)
class PolicyFile:
    """The policy of ``--policy``."""

    name: str
    document: Mapping[str, Any]

    def check_against(self, venue_name: str, role: Sequence[Policy]) -> None:
        """Refuse an Allow of what the role does not have: the token would lack it, and AWS would not say so.

        :param role: the statements of the role's policies.
        :raises UsageError: the role has no such action, or no such resource.
        """
        granted = [statement for statement in role if statement["Effect"] == "Allow"]
        actions = {action for each in granted for action in listed(each["Action"])}
        for statement in statements_of(self.document):
            if statement["Effect"] != "Allow":
                continue
            wanted = listed(statement.get("Action", "*"))  # NotAction and NotResource name what is left out
            for action in wanted:
                if not any(_grants(each, action) for each in granted):
                    raise self._lacking(venue_name, action, actions)
            concerned = [each for each in granted if any(_grants(each, action) for action in wanted)]
            resources = {resource for each in concerned for resource in listed(each["Resource"])}
            for resource in listed(statement.get("Resource")):
                # The value of a policy variable is not known here: any text can take its place.
                pattern = re.sub(r"\$\{[^}]*\}", "*", resource)
                if not any(overlap(pattern, each) for each in resources):
                    raise self._lacking(venue_name, resource, resources)

    def _lacking(self, venue_name: str, what: str, has: Iterable[str]) -> UsageError:
        return UsageError(
            f"--policy {self.name}: the role of {venue_name} does not have {what}, and a session policy cannot add it",
            hint=f"it has: {', '.join(sorted(has))}",
        )


def policy_file(text: str, name: str) -> PolicyFile:
    """Return the policy in the text of a file, if it can be a session policy.

    The grammar is that of the IAM User Guide, "Grammar of the IAM JSON policy language".

    :raises UsageError: it cannot.
    """
    try:
        document = json.loads(text, object_pairs_hook=_without_duplicates)
        _check(document)
    except json.JSONDecodeError as error:
        raise UsageError(f"--policy {name}: it is not JSON: {error.msg} in line {error.lineno}") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"--policy {name}: {error}") from error
    return PolicyFile(name, {"Version": VERSION, **document})


def overlap(one: str, other: str) -> bool:
    """Return whether any text matches both of two IAM patterns (``*`` and ``?``)."""
    reached, found = [(0, 0)], {(0, 0)}
    while reached:
        mine, theirs = reached.pop()
        if (mine, theirs) == (len(one), len(other)):
            return True
        a, b = one[mine : mine + 1], other[theirs : theirs + 1]
        steps = []
        if a == "*":
            steps += [(mine + 1, theirs), (mine, theirs + 1)]
        if b == "*":
            steps += [(mine, theirs + 1), (mine + 1, theirs)]
        if a and b and "*" not in (a, b) and (a == b or "?" in (a, b)):
            steps.append((mine + 1, theirs + 1))
        for step in steps:
            if step[0] <= len(one) and step[1] <= len(other) and step not in found:
                found.add(step)
                reached.append(step)
    return False


def _check(document: Any) -> None:
    """Raise ``ValueError`` if AWS would refuse a document as a session policy."""
    if not isinstance(document, dict) or not {"Statement"} <= set(document) <= {"Version", "Id", "Statement"}:
        raise ValueError("it is not a policy: an object with Version and Statement, and nothing else")
    if document.get("Version", VERSION) not in _VERSIONS:
        raise ValueError(f"its Version is {document['Version']!r}; AWS accepts {' and '.join(_VERSIONS)}")
    given = document["Statement"]
    statements = given if isinstance(given, list) else [given]
    for number, statement in enumerate(statements, 1):
        problem = _statement_problem(statement)
        if problem:
            raise ValueError(f"statement {number}: {problem}")
    if not any(statement["Effect"] == "Allow" for statement in statements):
        raise ValueError("it allows nothing, and a token may only do what both it and the role allow")


def _statement_problem(statement: Any) -> str | None:
    if not isinstance(statement, dict):
        return "it is not an object"
    if "Principal" in statement or "NotPrincipal" in statement:
        return "it has a Principal, and a session policy is about the session alone"
    unknown = sorted(set(statement) - _ELEMENTS)
    if unknown:
        return f"{unknown[0]} is not an element of a statement"
    if statement.get("Effect") not in ("Allow", "Deny"):
        return "its Effect must be Allow or Deny"
    for one, other in (("Action", "NotAction"), ("Resource", "NotResource")):
        if (one in statement) == (other in statement):
            return f"it must have either {one} or {other}"
        element = one if one in statement else other
        texts = statement[element] if isinstance(statement[element], list) else [statement[element]]
        if not texts or not all(isinstance(text, str) and text for text in texts):
            return f"its {element} must be a text or a list of texts"
    for action in listed(statement.get("Action", statement.get("NotAction"))):
        if not re.fullmatch(r"\*|[\w-]+:[\w*?]+", action, re.ASCII):
            return f"{action!r} is not an action, such as s3:GetObject"
    condition = statement.get("Condition", {})
    if not isinstance(condition, dict) or not all(isinstance(keys, dict) for keys in condition.values()):
        return "its Condition must be an object of operators, each with an object of keys"
    return None


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"duplicate key {name!r} in one object")
        found[name] = value
    return found


def _grants(statement: Policy, action: str) -> bool:
    # Actions ignore case (IAM User Guide, "IAM JSON policy elements: Action").
    return any(overlap(action.lower(), each.lower()) for each in listed(statement["Action"]))
