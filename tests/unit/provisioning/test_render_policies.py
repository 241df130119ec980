from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any

import pytest

from tests.functional.probes import Row, matrix, resources
from tests.stacks import OTHER_ACCOUNT, PORTAL, a_full_venue, a_venue, some_ids
from venue_access.inventory.model import Venue
from venue_access.policies.documents import (
    Policy,
    ecr_policy,
    principal_arn_patterns,
    s3_policy,
    size,
    trust_policy,
    trusted_accounts,
)

KEY = "arn:aws:kms:us-west-2:111122223333:key/00000000-0000-0000-0000-000000000000"
OPTIONS: dict[str | None, dict[str, Any]] = {
    None: {},
    "s3_allow_delete": {"s3_allow_delete": True},
    "kms_key_arns": {"kms_key_arns": (KEY,)},
}


def venue_given(option: str | None) -> Venue:
    return a_venue(**OPTIONS[option])


def statements(venue: Venue) -> list[Policy]:
    return [*s3_policy(venue, ["data"])["Statement"], *ecr_policy(venue)["Statement"]]


def listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def grants(venue: Venue) -> set[tuple[str, str]]:
    """Every action and resource pattern that the policies allow."""
    return {
        (action, resource)
        for statement in statements(venue)
        if statement["Effect"] == "Allow"
        for action in listed(statement["Action"])
        for resource in listed(statement["Resource"])
    }


@pytest.mark.parametrize("row", matrix(), ids=str)
def test_the_policies_decide_as_the_matrix_says(row: Row) -> None:
    venue = venue_given(row.given)
    arn = resources(venue, "data")[row.resource]
    allowed = any(fnmatchcase(row.action, action) and fnmatchcase(arn, pattern) for action, pattern in grants(venue))
    assert row.expected == ("allowed" if allowed else "denied")


@pytest.mark.parametrize("option", OPTIONS)
def test_the_policies_allow_exactly_the_actions_of_the_matrix(option: str | None) -> None:
    specified = {row.action for row in matrix() if row.expected == "allowed" and row.given in (None, option)}
    assert {action for action, _ in grants(venue_given(option))} == specified


def test_each_action_is_allowed_on_one_kind_of_resource() -> None:
    actions = sorted(action for action, _ in grants(a_venue(s3_allow_delete=True, kms_key_arns=(KEY,))))
    assert actions == sorted(set(actions))


def test_nothing_is_allowed_by_a_wildcard_action() -> None:
    assert not [action for action, _ in grants(a_full_venue()) if "*" in action]


def test_plain_text_requests_to_the_buckets_are_denied_whatever_else_is_allowed() -> None:
    [deny] = [statement for statement in statements(a_venue()) if statement["Effect"] == "Deny"]
    assert deny == {
        "Sid": "TlsOnly",
        "Effect": "Deny",
        "Action": "s3:*",
        "Resource": ["arn:aws:s3:::data/*", "arn:aws:s3:::data"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }


def test_the_trust_policy_lets_one_role_assume_with_the_external_id() -> None:
    venue = a_venue()
    assert trust_policy(venue, some_ids(venue)) == {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "Current",
                "Effect": "Allow",
                "Principal": {"AWS": "arn:aws:iam::111122223333:root"},
                "Action": "sts:AssumeRole",
                "Condition": {
                    "ArnLike": {"aws:PrincipalArn": PORTAL},
                    "StringEquals": {"sts:ExternalId": "unity-dev:current"},
                },
            }
        ],
    }


def test_during_a_rotation_each_external_id_has_a_statement_of_its_own() -> None:
    venue = a_full_venue()
    policy = trust_policy(venue, some_ids(venue, rotating=True))
    assert [
        (statement["Sid"], statement["Action"], statement["Condition"]["StringEquals"].get("sts:ExternalId"))
        for statement in policy["Statement"]
    ] == [
        ("Current", "sts:AssumeRole", "unity-full:current"),
        ("Incoming", "sts:AssumeRole", "unity-full:incoming"),
        ("Session", ["sts:TagSession", "sts:SetSourceIdentity"], None),
    ]


def test_every_statement_of_the_trust_policy_is_narrowed_alike() -> None:
    venue = a_full_venue()
    restrictions = [
        {
            **statement["Condition"],
            "StringEquals": {
                key: value for key, value in statement["Condition"]["StringEquals"].items() if key != "sts:ExternalId"
            },
        }
        for statement in trust_policy(venue, some_ids(venue, rotating=True))["Statement"]
    ]
    assert restrictions[0]["Bool"] == {"aws:MultiFactorAuthPresent": "true"}
    assert restrictions[0] == restrictions[1] == restrictions[2]


def test_a_whole_account_is_narrowed_by_nothing_and_opens_nothing_else() -> None:
    alone = a_venue(trusted_principals=(OTHER_ACCOUNT,))
    assert trusted_accounts(alone) == (OTHER_ACCOUNT,)
    assert "ArnLike" not in trust_policy(alone, some_ids(alone))["Statement"][0]["Condition"]
    beside = a_venue(trusted_principals=(PORTAL, OTHER_ACCOUNT))
    patterns = trust_policy(beside, some_ids(beside))["Statement"][0]["Condition"]["ArnLike"]["aws:PrincipalArn"]
    callers = {
        PORTAL: True,
        "arn:aws:iam::111122223333:role/somebody-else": False,
        "arn:aws:iam::444455556666:role/anybody": True,
        "arn:aws:iam::444455556666:user/anybody": True,
        "arn:aws:iam::444455556666:root": True,
        "arn:aws:sts::444455556666:federated-user/anybody": True,
    }
    assert {caller: any(fnmatchcase(caller, pattern) for pattern in patterns) for caller in callers} == callers


def test_a_session_of_a_role_is_known_by_its_own_arn_only_on_the_emulator() -> None:
    with_path = "arn:aws:iam::111122223333:role/portal/admin"
    user = "arn:aws:iam::111122223333:user/anna"
    assert principal_arn_patterns(a_venue(trusted_principals=(with_path, user))) == (with_path, user)
    assert principal_arn_patterns(a_venue(trusted_principals=(with_path, user), emulator=True)) == (
        with_path,
        "arn:aws:sts::111122223333:assumed-role/admin/*",
        user,
    )


def test_arns_are_of_the_venues_own_partition() -> None:
    venue = a_venue(partition="aws-us-gov", region="us-gov-west-1", trusted_principals=())
    patterns = {resource for _, resource in grants(venue)} - {"*"}
    assert {pattern.split(":")[1] for pattern in patterns} == {"aws-us-gov"}
    assert "arn:aws-us-gov:ecr:us-gov-west-1:111122223333:repository/unity-dev/*" in patterns


def test_the_size_of_a_policy_counts_no_white_space() -> None:
    assert size({"Version": "2012-10-17", "Statement": []}) == len('{"Version":"2012-10-17","Statement":[]}')
