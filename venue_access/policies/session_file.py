"""A session policy that an operator wrote: checked before AWS is asked, which says only that it is malformed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from venue_access.errors import UsageError
from venue_access.policies.documents import Policy

_ELEMENTS = {"Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition"}
_VERSIONS = ("2012-10-17", "2008-10-17")


@dataclass(frozen=True)
class PolicyFile:
    """The policy of ``--policy``."""

    name: str
    document: Mapping[str, Any]

    def check_against(self, venue_name: str, role: Sequence[Policy]) -> None:
        """Refuse an Allow of what the role does not have: the token would lack it without a word.

        :param role: the statements of the role's policies.
        :raises UsageError: an action or a resource of it is none of the role's.
        """
        granted = [statement for statement in role if statement["Effect"] == "Allow"]
        actions = {action for each in granted for action in _listed(each["Action"])}
        for statement in _statements(self.document):
            if statement["Effect"] != "Allow":
                continue
            wanted = _listed(statement.get("Action", "*"))  # NotAction and NotResource name what is left out
            for action in wanted:
                if not any(_grants(each, action) for each in granted):
                    raise self._lacking(venue_name, action, actions)
            concerned = [each for each in granted if any(_grants(each, action) for action in wanted)]
            resources = {resource for each in concerned for resource in _listed(each["Resource"])}
            for resource in _listed(statement.get("Resource")):
                # What a policy variable will be is not known here: it may be anything.
                pattern = re.sub(r"\$\{[^}]*\}", "*", resource)
                if not any(overlap(pattern, each) for each in resources):
                    raise self._lacking(venue_name, resource, resources)

    def _lacking(self, venue_name: str, what: str, has: Iterable[str]) -> UsageError:
        return UsageError(
            f"--policy {self.name}: the role of {venue_name} does not have {what}, and a policy of a session adds"
            " nothing to it",
            hint=f"it has: {', '.join(sorted(has))}",
        )


def policy_file(text: str, name: str) -> PolicyFile:
    """The policy in the text of a file, if it is one that can be a session policy.

    The grammar is that of the IAM User Guide, "Grammar of the IAM JSON policy language".

    :raises UsageError: it is not.
    """

    def refused(reason: str) -> UsageError:
        return UsageError(f"--policy {name}: {reason}")

    try:
        document = json.loads(text, object_pairs_hook=_once_each)
    except json.JSONDecodeError as error:
        raise refused(f"it is not JSON: {error.msg} in line {error.lineno}") from error
    except (ValueError, RecursionError) as error:
        raise refused(str(error)) from error
    if not isinstance(document, dict) or not {"Statement"} <= set(document) <= {"Version", "Id", "Statement"}:
        raise refused("it is no policy: an object with Version and Statement, and nothing else")
    if document.get("Version", _VERSIONS[0]) not in _VERSIONS:
        raise refused(f"its Version is {document['Version']!r}, and AWS knows {' and '.join(_VERSIONS)}")
    given = document["Statement"]
    statements = given if isinstance(given, list) else [given]
    for number, statement in enumerate(statements, 1):
        problem = _problem(statement)
        if problem:
            raise refused(f"statement {number}: {problem}")
    if not any(statement["Effect"] == "Allow" for statement in statements):
        raise refused("it allows nothing, and a token may only do what both it and the role allow")
    return PolicyFile(name, {"Version": _VERSIONS[0], **document})


def overlap(one: str, other: str) -> bool:
    """Whether two of IAM's patterns (``*`` and ``?``) have any text in common."""
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


def _problem(statement: Any) -> str | None:
    """Why AWS would not take a statement."""
    if not isinstance(statement, dict):
        return "it is no object"
    if "Principal" in statement or "NotPrincipal" in statement:
        return "it has a Principal, and a session policy is about the session alone"
    unknown = sorted(set(statement) - _ELEMENTS)
    if unknown:
        return f"{unknown[0]} is no element of a statement"
    if statement.get("Effect") not in ("Allow", "Deny"):
        return "its Effect must be Allow or Deny"
    for one, other in (("Action", "NotAction"), ("Resource", "NotResource")):
        if (one in statement) == (other in statement):
            return f"it must have either {one} or {other}"
        values = statement.get(one, statement.get(other))
        texts = values if isinstance(values, list) else [values]
        if not texts or not all(isinstance(text, str) and text for text in texts):
            return f"its {one if one in statement else other} must be a text or a list of texts"
    actions = _listed(statement.get("Action", statement.get("NotAction")))
    unfit = [action for action in actions if not re.fullmatch(r"\*|[\w-]+:[\w*?]+", action, re.ASCII)]
    if unfit:
        return f"{unfit[0]!r} is no action, such as s3:GetObject"
    condition = statement.get("Condition", {})
    if not isinstance(condition, dict) or not all(isinstance(keys, dict) for keys in condition.values()):
        return "its Condition must be an object of operators, each with an object of keys"
    return None


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise ValueError(f"{twice[0]} stands twice in one object, and only one of them would count")
    return dict(pairs)


def _grants(statement: Policy, action: str) -> bool:
    # Actions ignore case (IAM User Guide, "IAM JSON policy elements: Action").
    return any(overlap(action.lower(), each.lower()) for each in _listed(statement["Action"]))


def _statements(policy: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    given = policy["Statement"]
    return given if isinstance(given, list) else [given]


def _listed(value: Any) -> list[str]:
    if value is None:
        return []
    return [value] if isinstance(value, str) else list(value)
