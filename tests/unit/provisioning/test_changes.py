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


def test_changed_attribute_shows_both_values() -> None:
    plan = a_plan({"path": "/", "name": "x"}, {"path": "/", "name": "y"}, "update")
    assert diff_lines(plan, []) == [f"~ {ROLE}", '    name: "x" -> "y"']


def test_changed_tags_are_shown_once() -> None:
    old, new = {"Venue": "dev", "Team": "science", "Old": "1"}, {"Venue": "dev", "Team": "ops", "New": "2"}
    plan = a_plan({"tags": old, "tags_all": old}, {"tags": new, "tags_all": new}, "update")
    assert diff_lines(plan, []) == [
        f"~ {ROLE}",
        '    tags.New: (none) -> "2"',
        '    tags.Old: "1" -> (none)',
        '    tags.Team: "science" -> "ops"',
    ]


def test_added_and_removed_tags_and_default_tags() -> None:
    plan = a_plan({"tags": None, "tags_all": {"By": "it"}}, {"tags": {"Team": "ops"}, "tags_all": {}}, "update")
    assert diff_lines(plan, [])[1:] == ['    tags.Team: (none) -> "ops"', '    tags_all.By: "it" -> (none)']
    plan = a_plan(None, {"tags": {"Team": "ops"}, "tags_all": {"Team": "ops"}}, "create")
    assert diff_lines(plan, []) == [f"+ {ROLE}", '    tags: {"Team": "ops"}']


def test_list_is_shown_completely() -> None:
    plan = a_plan({"buckets": ["a"]}, {"buckets": None}, "update")
    assert diff_lines(plan, [])[1:] == ['    buckets: ["a"] -> null']


def test_created_resource_shows_its_known_attributes() -> None:
    plan = a_plan(None, {"name": "x", "description": None}, "create", after_unknown={"arn": True, "name": False})
    assert diff_lines(plan, []) == [f"+ {ROLE}", '    name: "x"']


def test_mark_of_each_kind_of_change() -> None:
    for actions, mark in (
        (("delete",), "-"),
        (("delete", "create"), "-/+"),
        (("create", "delete"), "+/-"),
    ):
        assert diff_lines(a_plan({}, {}, *actions), []) == [f"{mark} {ROLE}"]


def test_unchanged_resource_is_shown_only_if_imported() -> None:
    assert diff_lines(a_plan({"name": "x"}, {"name": "x"}, "no-op"), []) == []
    imported = a_plan({"name": "x"}, {"name": "x"}, "no-op", importing={"id": "x"})
    assert diff_lines(imported, []) == [f"  {ROLE} (imported)"]


def test_data_source_is_not_shown() -> None:
    plan = a_plan(None, {"json": "{}"}, "read")
    plan["resource_changes"][0]["mode"] = "data"
    assert diff_lines(plan, []) == []


def test_sensitive_value_is_redacted() -> None:
    plan = a_plan({"value": "one"}, {"value": "two"}, "update", after_sensitive={"value": True})
    assert diff_lines(plan, []) == [f"~ {ROLE}", "    value: ****"]


def test_trust_policy_is_shown_by_line_without_external_ids() -> None:
    plan = a_plan(
        {"assume_role_policy": trust(OLD)},
        {"assume_role_policy": trust(OLD, Action="sts:AssumeRole")},
        "update",
        after_sensitive={"assume_role_policy": True},
    )
    lines = diff_lines(plan, [])
    assert any(line.strip().startswith("+") and '"Action": "sts:AssumeRole"' in line for line in lines)
    assert not any(OLD in line for line in lines)


def test_changed_external_id_is_not_shown() -> None:
    plan = a_plan({"assume_role_policy": trust(OLD)}, {"assume_role_policy": trust(NEW)}, "update")
    assert diff_lines(plan, []) == [f"~ {ROLE}", "    assume_role_policy:", "      an external ID changes"]


def test_external_id_is_redacted_everywhere() -> None:
    plan = a_plan({"description": "none"}, {"description": f"the ID is {NEW}"}, "update")
    assert diff_lines(plan, [ExternalId(NEW)]) == [f"~ {ROLE}", '    description: "none" -> "the ID is ****"']


def test_external_id_of_any_condition_operator_is_redacted() -> None:
    by_hand = {"Statement": {"Condition": {"StringLike": {"STS:ExternalID": ["va.one", "va.two"]}}}}
    plan = a_plan({"assume_role_policy": json.dumps(by_hand)}, {"assume_role_policy": trust(NEW)}, "update")
    assert not any("va." in line for line in diff_lines(plan, []))
