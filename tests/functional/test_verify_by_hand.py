"""``invoke verify`` notices whatever somebody changed by hand, statement by statement."""

from __future__ import annotations

from typing import Any

import pytest

from tests.functional.kit import ACCOUNT, OTHER_ACCOUNT
from tests.functional.live_role import BUCKET, ROLE, Change, Role, Statement


def values(given: str | list[str]) -> list[str]:
    return [given] if isinstance(given, str) else given


def also(element: str, value: str) -> Change:
    return lambda statement: {**statement, element: [*values(statement[element]), value]}


def without(element: str, value: str) -> Change:
    return lambda statement: {**statement, element: [each for each in values(statement[element]) if each != value]}


def instead(**elements: Any) -> Change:
    return lambda statement: {**statement, **elements}


def gone(statement: Statement) -> None:
    return None


def unconditional(statement: Statement) -> Statement:
    return {element: value for element, value in statement.items() if element != "Condition"}


OBJECTS = ("s3:AbortMultipartUpload", "s3:GetObject", "s3:ListMultipartUploadParts", "s3:PutObject")
BUCKETS = ("s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads")
PULL = ("ecr:BatchGetImage", "ecr:CreateRepository", "ecr:PutImage", "ecr:TagResource", "ecr:ListImages")

WIDENED: dict[str, tuple[str, str, Change]] = {
    "more on buckets": ("s3", "Buckets", also("Action", "s3:DeleteBucket")),
    "everything on buckets": ("s3", "Buckets", instead(Action="s3:*")),
    "more buckets": ("s3", "Buckets", also("Resource", "arn:aws:s3:::somebodys")),
    "all buckets": ("s3", "Buckets", instead(Resource="*")),
    "more on objects": ("s3", "Objects", also("Action", "s3:DeleteObject")),
    "objects elsewhere": ("s3", "Objects", instead(Resource=f"arn:aws:s3:::{BUCKET}*/*")),
    "more with keys": ("s3", "Keys", also("Action", "kms:Encrypt")),
    "all keys": ("s3", "Keys", instead(Resource="*")),
    "plain text": ("s3", "TlsOnly", gone),
    "plain text for some": ("s3", "TlsOnly", instead(Action="s3:PutObject")),
    "plain text elsewhere": ("s3", "TlsOnly", instead(Resource=f"arn:aws:s3:::{BUCKET}")),
    "an allow of all": ("s3", "TlsOnly", instead(Effect="Allow")),
    "more than login": ("ecr", "Login", also("Action", "ecr:DescribeRegistry")),
    "more on repositories": ("ecr", "Repositories", also("Action", "ecr:DeleteRepository")),
    "everything on repositories": ("ecr", "Repositories", instead(Action="ecr:*")),
    "a neighbour's repositories": (
        "ecr",
        "Repositories",
        lambda each: {**each, "Resource": each["Resource"][:-2] + "*"},
    ),
    "all but some": ("ecr", "Repositories", lambda each: {"NotAction": "iam:*", **without_action(each)}),
}
SCOPED: dict[str, tuple[str, str, Change]] = {
    "no buckets": ("s3", "Buckets", gone),
    "no objects": ("s3", "Objects", gone),
    "no keys": ("s3", "Keys", gone),
    "no login": ("ecr", "Login", gone),
    "no repositories": ("ecr", "Repositories", gone),
    **{f"no {action}": ("s3", "Buckets", without("Action", action)) for action in BUCKETS},
    **{f"no {action}": ("s3", "Objects", without("Action", action)) for action in OBJECTS},
    **{f"no {action}": ("s3", "Keys", without("Action", action)) for action in ("kms:Decrypt", "kms:GenerateDataKey")},
    **{f"no {action}": ("ecr", "Repositories", without("Action", action)) for action in PULL},
    "objects of a folder": ("s3", "Objects", instead(Resource=f"arn:aws:s3:::{BUCKET}/a/*")),
    "a condition": ("s3", "Objects", instead(Condition={"Bool": {"aws:MultiFactorAuthPresent": "true"}})),
    "nothing at all": ("s3", "TlsOnly", unconditional),
    "another deny": ("s3", "TlsOnly", instead(Condition={"Bool": {"aws:SecureTransport": "true"}})),
    "a deny for an allow": ("ecr", "Login", instead(Effect="Deny")),
    "one repository": ("ecr", "Repositories", lambda each: {**each, "Resource": each["Resource"][:-1] + "a"}),
}


def without_action(statement: Statement) -> Statement:
    return {element: value for element, value in statement.items() if element != "Action"}


QUICK = ("more on buckets", "objects elsewhere", "plain text", "no keys", "one repository", "a deny for an allow")
"""One of each statement; the others are for the soak."""


@pytest.mark.parametrize(
    "name", [each if each in QUICK else pytest.param(each, marks=pytest.mark.soak) for each in [*WIDENED, *SCOPED]]
)
def test_changed_statement_is_named(role: Role, name: str) -> None:
    policy, sid, change = {**WIDENED, **SCOPED}[name]
    role.change(policy, sid, change)
    assert any(f"policy {ROLE}-{policy}, statement {sid}: " in line for line in role.differs())


def test_every_statement_is_changed_both_ways() -> None:
    widened, scoped = ({sid for _, sid, _ in changes.values()} for changes in (WIDENED, SCOPED))
    assert widened == scoped == {"Buckets", "Objects", "Keys", "TlsOnly", "Login", "Repositories"}


def conditions(**changed: Any) -> Change:
    return lambda statement: {**statement, "Condition": {**statement["Condition"], **changed}}


def unguarded(statement: Statement) -> Statement:
    return {
        **statement,
        "Condition": {key: each for key, each in statement["Condition"].items() if "String" not in key},
    }


TRUST: dict[str, Change] = {
    "another account": lambda each: {
        **each,
        "Principal": {"AWS": [*values(each["Principal"]["AWS"]), f"arn:aws:iam::{OTHER_ACCOUNT}:root"]},
    },
    "anybody": instead(Principal="*"),
    "anybody in AWS": instead(Principal={"AWS": "*"}),
    "a service": lambda each: {**each, "Principal": {**each["Principal"], "Service": "ec2.amazonaws.com"}},
    "the whole account": lambda each: {**each, "Condition": {"StringEquals": each["Condition"]["StringEquals"]}},
    "no external ID": unguarded,
    "an external ID where there is one": lambda each: {
        **unguarded(each),
        "Condition": {**unguarded(each)["Condition"], "StringEqualsIfExists": each["Condition"]["StringEquals"]},
    },
    "a pattern": conditions(StringEquals={}, StringLike={"sts:ExternalId": "*"}),
    "a second external ID": lambda each: conditions(
        StringEquals={"sts:ExternalId": [each["Condition"]["StringEquals"]["sts:ExternalId"], "second-one"]}
    )(each),
    "another external ID": conditions(StringEquals={"sts:ExternalId": "another-one"}),
    "tags": also("Action", "sts:TagSession"),
    "any action": instead(Action="sts:*"),
    "other principals": conditions(ArnLike={"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:role/somebody"}),
    "an address": conditions(IpAddress={"aws:SourceIp": "198.51.100.0/24"}),
    "another Sid": instead(Sid="Mine"),
    "a deny": instead(Effect="Deny"),
}


@pytest.mark.parametrize("name", TRUST)
def test_trust_policy_changed_by_hand_is_reported(role: Role, name: str) -> None:
    role.change("trust", "Current", TRUST[name])
    lines = role.differs()
    told = "external ID of the parameter" if name == "another external ID" else "trust policy, statement Current"
    assert any(line.startswith(f"DIFFERS  {told}: ") for line in lines)
    assert not any("another-one" in line or "second-one" in line for line in lines)


def test_added_statement_is_reported(role: Role) -> None:
    extra = {"Sid": "Extra", "Effect": "Allow", "Action": "iam:ListRoles", "Resource": "*"}
    document = role.documents["ecr"]
    role.write("ecr", {**document, "Statement": [*document["Statement"], extra]})
    lines = role.differs()
    assert any(f"policy {ROLE}-ecr, statement Extra: expected none" in line for line in lines)
    assert any("iam:ListRoles: expected refused, found allowed" in line for line in lines)


def test_order_and_sids_are_not_differences(role: Role) -> None:
    def turned(statement: Statement) -> Statement:
        return {**statement, "Sid": "Turned", "Action": sorted(values(statement["Action"]))}

    for name in ("s3", "ecr"):
        document = role.documents[name]
        statements = [turned(each) for each in reversed(document["Statement"])]
        for number, each in enumerate(statements):
            each["Sid"] += str(number)
        role.write(name, {**document, "Statement": statements})
    role.holds()
