"""The policy documents of a venue's role: rendered from templates, held to the matrix, golden for reviewers."""

from __future__ import annotations

import json
import os
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.functional.probes import Row, matrix, resources
from tests.stacks import OTHER_ACCOUNT, PORTAL, a_full_venue, a_venue, some_ids
from venue_access import templates
from venue_access.errors import RenderError
from venue_access.inventory.loader import load_inventory
from venue_access.inventory.model import Venue
from venue_access.inventory.venues import build_venues
from venue_access.policies.documents import (
    ExternalIds,
    Policy,
    compact,
    ecr_policy,
    listed,
    managed_policies,
    parse_policy,
    s3_policy,
    size,
    statements_of,
    trust_policy,
)
from venue_access.policies.operator import operator_policy
from venue_access.sensitive import ExternalId

CHECKOUT = Path(__file__).parents[3]
GOLDEN = CHECKOUT / "tests" / "golden" / "policies"
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
def test_policies_match_the_matrix(row: Row) -> None:
    venue = venue_given(row.given)
    arn = resources(venue, "data")[row.resource]
    allowed = any(fnmatchcase(row.action, action) and fnmatchcase(arn, pattern) for action, pattern in grants(venue))
    assert row.expected == ("allowed" if allowed else "denied")


@pytest.mark.parametrize("option", OPTIONS)
def test_policies_allow_exactly_the_matrix_actions(option: str | None) -> None:
    specified = {row.action for row in matrix() if row.expected == "allowed" and row.given in (None, option)}
    assert {action for action, _ in grants(venue_given(option))} == specified


def test_action_has_one_kind_of_resource() -> None:
    actions = sorted(action for action, _ in grants(a_venue(s3_allow_delete=True, kms_key_arns=(KEY,))))
    assert actions == sorted(set(actions))


def test_wildcard_actions_are_not_allowed() -> None:
    assert not [action for action, _ in grants(a_full_venue()) if "*" in action]


def test_plain_text_requests_to_the_buckets_are_denied_whatever_else_is_allowed() -> None:
    [deny] = [statement for statement in statements(a_venue()) if statement["Effect"] == "Deny"]
    assert deny == {
        "Sid": "TlsOnly",
        "Effect": "Deny",
        "Action": "s3:*",
        "Resource": ["arn:aws:s3:::data", "arn:aws:s3:::data/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }


def test_trust_policy_requires_role_and_external_id() -> None:
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


def test_each_external_id_of_a_rotation_has_a_statement() -> None:
    venue = a_full_venue()
    policy = trust_policy(venue, some_ids(venue, rotating=True))
    assert [
        (statement["Sid"], statement["Action"], statement["Condition"]["StringEquals"].get("sts:ExternalId"))
        for statement in policy["Statement"]
    ] == [
        ("Current", "sts:AssumeRole", "unity-full:current"),
        ("Pending", "sts:AssumeRole", "unity-full:pending"),
        ("Session", ["sts:SetSourceIdentity", "sts:TagSession"], None),
    ]


def test_trust_statements_have_the_same_conditions() -> None:
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


def test_trusted_account_has_no_conditions() -> None:
    alone = a_venue(trusted_principals=(OTHER_ACCOUNT,))
    [statement] = trust_policy(alone, some_ids(alone))["Statement"]
    assert statement["Principal"] == {"AWS": OTHER_ACCOUNT}
    assert statement["Condition"] == {"StringEquals": {"sts:ExternalId": "unity-dev:current"}}
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


def test_principal_patterns_are_the_trusted_principals() -> None:
    """On the AWS emulator the inventory adds the pattern of a role's sessions to them."""
    with_path = "arn:aws:iam::111122223333:role/portal/admin"
    sessions = "arn:aws:sts::111122223333:assumed-role/admin/*"
    venue = a_venue(trusted_principals=(with_path, sessions))
    [statement] = trust_policy(venue, some_ids(venue))["Statement"]
    assert statement["Principal"] == {"AWS": "arn:aws:iam::111122223333:root"}
    assert statement["Condition"]["ArnLike"] == {"aws:PrincipalArn": [with_path, sessions]}


def test_repeated_values_are_written_once() -> None:
    venue = a_venue(trusted_principals=(PORTAL, PORTAL), kms_key_arns=(KEY, KEY))
    [statement] = trust_policy(venue, some_ids(venue))["Statement"]
    assert statement["Condition"]["ArnLike"] == {"aws:PrincipalArn": PORTAL}
    assert s3_policy(venue, ["data", "data"])["Statement"][2]["Resource"] == KEY
    assert s3_policy(venue, ["data", "data"])["Statement"][0]["Resource"] == "arn:aws:s3:::data"


@pytest.mark.parametrize("identity", [False, True])
@pytest.mark.parametrize("session_tags", [{}, {"purpose": "review"}])
def test_operator_may_call_what_the_trust_policy_allows(identity: bool, session_tags: dict[str, str]) -> None:
    venue = a_venue(source_identity=identity, session_tags=session_tags)
    allowed = [each["Action"] for each in trust_policy(venue, some_ids(venue))["Statement"]]
    issue = next(each for each in operator_policy(venue)["Statement"] if each["Sid"] == "IssueTokens")
    assert issue["Action"] == [action for actions in allowed for action in listed(actions)]


def test_arns_have_the_partition_of_the_venue() -> None:
    venue = a_venue(partition="aws-us-gov", region="us-gov-west-1", trusted_principals=())
    patterns = {resource for _, resource in grants(venue)} - {"*"}
    assert {pattern.split(":")[1] for pattern in patterns} == {"aws-us-gov"}
    assert "arn:aws-us-gov:ecr:us-gov-west-1:111122223333:repository/unity-dev/*" in patterns


def test_policy_size_excludes_white_space() -> None:
    assert size({"Version": "2012-10-17", "Statement": []}) == len('{"Version":"2012-10-17","Statement":[]}')


HOSTILE = '"}, {"Effect": "Allow", "Action": "*"} ${aws:username} {{ x }} \\ \n \u2028 <&\' Größe ☃'


def test_no_value_breaks_out_of_its_string() -> None:
    venue = a_venue(source_cidrs=(HOSTILE,), kms_key_arns=(HOSTILE,), ecr_repository_prefixes=(HOSTILE,))
    [statement] = trust_policy(venue, ExternalIds(ExternalId(HOSTILE)))["Statement"]
    assert statement["Condition"]["StringEquals"]["sts:ExternalId"] == HOSTILE
    assert statement["Condition"]["IpAddress"]["aws:SourceIp"] == HOSTILE
    assert [each["Sid"] for each in s3_policy(venue, [HOSTILE])["Statement"]] == [
        "Buckets",
        "Objects",
        "Keys",
        "TlsOnly",
    ]
    assert ecr_policy(venue)["Statement"][1]["Resource"].endswith(f"{HOSTILE}*")


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("{{ nothing }}", "templates/policies/trust.json.j2: 'nothing' is undefined"),
        ("{{ 1", "templates/policies/trust.json.j2: "),
        ("{", "templates/policies/trust.json.j2: not a policy document"),
        ("[]", "templates/policies/trust.json.j2: not a policy document"),
        ('{"Version": "2008-10-17", "Statement": []}', "it must have the Version 2012-10-17"),
        (
            '{"Version": "2012-10-17", "Statement": [{"Sid": "Current", "Action": "sts:AssumeRole"}]}',
            "a statement does not demand an external ID",
        ),
    ],
)
def test_template_that_is_not_a_policy_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, template: str, reason: str
) -> None:
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "trust.json.j2").write_text(template)
    monkeypatch.setattr(templates, "assets", lambda name: tmp_path)
    with pytest.raises(RenderError, match=reason):
        trust_policy(a_venue(), some_ids(a_venue()))


@pytest.mark.parametrize("encoded", [compact, lambda policy: quote(compact(policy)), json.dumps, dict])
def test_policies_are_parsed_in_every_form_that_aws_returns(encoded: Any) -> None:
    policy = ecr_policy(a_venue())
    assert parse_policy(encoded(policy)) == policy
    assert statements_of({"Statement": {"Sid": "one"}}) == [{"Sid": "one"}]


def test_policy_that_is_not_an_object_is_refused() -> None:
    with pytest.raises(ValueError, match="must be a JSON object"):
        parse_policy("[]")


def rendered(inventory: str) -> dict[str, str]:
    """The documents of an inventory's venues as AWS would get them, a file for each venue."""
    found = {}
    for venue in build_venues(load_inventory(CHECKOUT / "inventory" / inventory)).values():
        documents = {
            "trust policy": trust_policy(venue, ExternalIds(ExternalId("EXTERNAL-ID"))),
            **{
                f"policy {venue.policy_name(service)}": policy
                for service, policy in managed_policies(venue, venue.s3_buckets or ("BUCKET-OF-THE-PLATFORM",)).items()
            },
        }
        found[f"{venue.name}.json"] = json.dumps(documents, indent=2, ensure_ascii=False) + "\n"
    return found


@pytest.mark.parametrize("inventory", ["example", "local"])
def test_documents_of_the_inventories_are_golden(inventory: str) -> None:
    """Set UPDATE_GOLDEN=1 to write the golden files, and review the difference."""
    folder = GOLDEN / inventory
    if os.environ.get("UPDATE_GOLDEN"):
        folder.mkdir(parents=True, exist_ok=True)
        for stale in folder.glob("*.json"):
            stale.unlink()
        for name, text in rendered(inventory).items():
            (folder / name).write_text(text, encoding="utf-8")
    assert rendered(inventory) == {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}
