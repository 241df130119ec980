from __future__ import annotations

import json
from typing import Any

from venue_access.provisioning.changes import differences
from venue_access.sensitive import ExternalId, SensitiveStr

ROLE = 'module.venue["unity-dev"].aws_iam_role.this'
OLD, NEW = "va.old-one", "va.new-one"


def diff_lines(plan: dict[str, Any], hide: list[SensitiveStr]) -> list[str]:
    return [line for each in differences(plan, hide) for line in each.lines(each.address)]


def a_plan(before: Any, after: Any, *actions: str, **change: Any) -> dict[str, Any]:
    """``terraform show -json`` of a plan that changes the role, less what is not read."""
    changes = {"actions": list(actions), "before": before, "after": after, "after_unknown": {}, **change}
    return {"resource_changes": [{"address": ROLE, "mode": "managed", "change": changes}]}


def trust(external_id: str, **more: Any) -> str:
    condition = {"StringEquals": {"sts:ExternalId": external_id}}
    return json.dumps({"Statement": [{"Sid": "Current", "Effect": "Allow", "Condition": condition, **more}]})


def test_a_changed_attribute_is_shown_as_it_was_and_as_it_will_be() -> None:
    plan = a_plan({"path": "/", "name": "x"}, {"path": "/", "name": "y"}, "update")
    assert diff_lines(plan, []) == [f"~ {ROLE}", '    name: "x" -> "y"']


def test_of_tags_those_that_change_are_shown_and_once() -> None:
    old, new = {"Venue": "dev", "Team": "science", "Old": "1"}, {"Venue": "dev", "Team": "ops", "New": "2"}
    plan = a_plan({"tags": old, "tags_all": old}, {"tags": new, "tags_all": new}, "update")
    assert diff_lines(plan, []) == [
        f"~ {ROLE}",
        '    tags.New: (none) -> "2"',
        '    tags.Old: "1" -> (none)',
        '    tags.Team: "science" -> "ops"',
    ]


def test_tags_that_come_or_go_altogether_and_those_of_the_provider_alone() -> None:
    plan = a_plan({"tags": None, "tags_all": {"By": "it"}}, {"tags": {"Team": "ops"}, "tags_all": {}}, "update")
    assert diff_lines(plan, [])[1:] == ['    tags.Team: (none) -> "ops"', '    tags_all.By: "it" -> (none)']
    plan = a_plan(None, {"tags": {"Team": "ops"}, "tags_all": {"Team": "ops"}}, "create")
    assert diff_lines(plan, []) == [f"+ {ROLE}", '    tags: {"Team": "ops"}']


def test_a_list_is_shown_whole() -> None:
    plan = a_plan({"buckets": ["a"]}, {"buckets": None}, "update")
    assert diff_lines(plan, [])[1:] == ['    buckets: ["a"] -> null']


def test_what_is_made_shows_its_attributes_and_not_those_that_only_aws_knows() -> None:
    plan = a_plan(None, {"name": "x", "description": None}, "create", after_unknown={"arn": True, "name": False})
    assert diff_lines(plan, []) == [f"+ {ROLE}", '    name: "x"']


def test_each_kind_of_change_has_its_mark() -> None:
    for actions, mark in (
        (("delete",), "-"),
        (("delete", "create"), "-/+"),
        (("create", "delete"), "+/-"),
    ):
        assert diff_lines(a_plan({}, {}, *actions), []) == [f"{mark} {ROLE}"]


def test_what_stays_is_not_shown_unless_it_is_imported() -> None:
    assert diff_lines(a_plan({"name": "x"}, {"name": "x"}, "no-op"), []) == []
    imported = a_plan({"name": "x"}, {"name": "x"}, "no-op", importing={"id": "x"})
    assert diff_lines(imported, []) == [f"  {ROLE} (imported)"]


def test_a_data_source_is_not_shown() -> None:
    plan = a_plan(None, {"json": "{}"}, "read")
    plan["resource_changes"][0]["mode"] = "data"
    assert diff_lines(plan, []) == []


def test_a_sensitive_value_is_masked() -> None:
    plan = a_plan({"value": "one"}, {"value": "two"}, "update", after_sensitive={"value": True})
    assert diff_lines(plan, []) == [f"~ {ROLE}", "    value: ****"]


def test_a_trust_policy_is_shown_line_by_line_without_its_external_ids() -> None:
    plan = a_plan(
        {"assume_role_policy": trust(OLD)},
        {"assume_role_policy": trust(OLD, Action="sts:AssumeRole")},
        "update",
        after_sensitive={"assume_role_policy": True},
    )
    lines = diff_lines(plan, [])
    assert any(line.strip().startswith("+") and '"Action": "sts:AssumeRole"' in line for line in lines)
    assert not any(OLD in line for line in lines)


def test_an_external_id_that_changes_is_told_and_not_shown() -> None:
    plan = a_plan({"assume_role_policy": trust(OLD)}, {"assume_role_policy": trust(NEW)}, "update")
    assert diff_lines(plan, []) == [f"~ {ROLE}", "    assume_role_policy:", "      an external ID changes"]


def test_an_external_id_is_masked_wherever_it_stands() -> None:
    plan = a_plan({"description": "none"}, {"description": f"the ID is {NEW}"}, "update")
    assert diff_lines(plan, [ExternalId(NEW)]) == [f"~ {ROLE}", '    description: "none" -> "the ID is ****"']


def test_an_id_behind_any_operator_of_a_hand_made_trust_policy_is_masked() -> None:
    by_hand = {"Statement": {"Condition": {"StringLike": {"STS:ExternalID": ["va.one", "va.two"]}}}}
    plan = a_plan({"assume_role_policy": json.dumps(by_hand)}, {"assume_role_policy": trust(NEW)}, "update")
    assert not any("va." in line for line in diff_lines(plan, []))
