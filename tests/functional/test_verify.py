"""``invoke verify``: it notices whatever somebody changed by hand, statement by statement, and does no harm."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.functional.kit import ACCOUNT, OTHER_ACCOUNT, Kit, Result, embedded, new_venue
from venue_access.inventory.model import embedded_operator_arn

VENUE, BUCKET = "proof-dev", "proof-dev-data"
ROLE = "unity-proof-dev-sts"
OTHER, NEAR = "proof-ops", "proof-dev2"
PARAMETER = "/unity/proof/dev/cs/sts/role/external-id"
EXTRA = f"arn:aws:iam::{ACCOUNT}:policy/somebodys-extra"

Statement = dict[str, Any]
Change = Callable[[Statement], Statement | None]


@dataclass
class Role:
    """The role of a provisioned venue, as root changes it by hand and puts it right again."""

    kit: Kit
    external_id: str
    documents: dict[str, dict[str, Any]]
    """As they were provisioned: ``trust``, ``s3``, ``ecr``."""

    def verify(self, *flags: str) -> Result:
        result = self.kit("verify", "--venue", VENUE, *flags)
        assert self.external_id not in result.out + result.err
        assert "Traceback" not in result.err
        return result

    def differs(self) -> list[str]:
        """The lines of what differs, where something does."""
        result = self.verify()
        assert result.code == 7, result.out + result.err
        assert result.err.startswith(f"error: {VENUE}: ")
        return [line for line in result.out.splitlines() if line.startswith("DIFFERS")]

    def holds(self) -> None:
        result = self.verify()
        assert (result.code, result.err) == (0, ""), result.out + result.err
        assert "DIFFERS" not in result.out

    def write(self, name: str, document: dict[str, Any]) -> None:
        root, text = self.kit.root(), json.dumps(document)
        if name == "trust":
            root.call("iam", "update_assume_role_policy", RoleName=ROLE, PolicyDocument=text)
            return
        arn = f"arn:aws:iam::{ACCOUNT}:policy/{ROLE}-{name}"
        for version in root.call("iam", "list_policy_versions", PolicyArn=arn)["Versions"]:
            if not version["IsDefaultVersion"]:
                root.call("iam", "delete_policy_version", PolicyArn=arn, VersionId=version["VersionId"])
        root.call("iam", "create_policy_version", PolicyArn=arn, PolicyDocument=text, SetAsDefault=True)

    def change(self, name: str, sid: str, change: Change) -> None:
        document = copy.deepcopy(self.documents[name])
        made = [change(each) if each["Sid"] == sid else each for each in document["Statement"]]
        self.write(name, {**document, "Statement": [each for each in made if each is not None]})

    def restore(self, name: str) -> None:
        self.write(name, self.documents[name])


@pytest.fixture(scope="module")
def provisioned_role(tmp_path_factory: pytest.TempPathFactory, work_directory: Path) -> Role:
    kit = Kit(tmp_path_factory.mktemp("verify"), work_directory)
    key = kit.root().call("kms", "create_key")["KeyMetadata"]["Arn"]
    hosts = {
        VENUE: embedded(VENUE, kms_key_arns=[key], users={"alice": None}),
        OTHER: embedded(OTHER, account_id=OTHER_ACCOUNT),
        NEAR: embedded(NEAR),
    }
    kit.write_inventory(hosts)
    kit.done("provision", "--venue", VENUE)
    root = kit.root()
    live, parameter = root.role(ROLE), root.parameter(PARAMETER)
    assert live is not None
    assert parameter is not None
    documents = {"trust": dict(live.trust_policy)}
    for service in ("s3", "ecr"):
        arn = f"arn:aws:iam::{ACCOUNT}:policy/{ROLE}-{service}"
        version = root.call("iam", "get_policy", PolicyArn=arn)["Policy"]["DefaultVersionId"]
        found = root.call("iam", "get_policy_version", PolicyArn=arn, VersionId=version)["PolicyVersion"]
        documents[service] = found["Document"]
    return Role(kit, parameter.value.reveal(), documents)


@pytest.fixture
def role(provisioned_role: Role) -> Iterator[Role]:
    """The role, put right again after the test."""
    yield provisioned_role
    for name in provisioned_role.documents:
        provisioned_role.restore(name)
    root = provisioned_role.kit.root()
    for name in root.call("iam", "list_role_policies", RoleName=ROLE)["PolicyNames"]:
        root.call("iam", "delete_role_policy", RoleName=ROLE, PolicyName=name)


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

BY_HAND: dict[str, tuple[str, str, Change]] = {
    # What widens the role.
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
    # What narrows it.
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


@pytest.mark.parametrize("name", BY_HAND)
def test_a_statement_that_was_widened_or_narrowed_is_named(role: Role, name: str) -> None:
    policy, sid, change = BY_HAND[name]
    role.change(policy, sid, change)
    assert any(f"policy {ROLE}-{policy}, statement {sid}: " in line for line in role.differs())


def test_every_statement_is_changed_both_ways() -> None:
    widened = {sid for _, (_, sid, _) in list(BY_HAND.items())[:17]}
    narrowed = {sid for _, (_, sid, _) in list(BY_HAND.items())[17:]}
    assert widened == narrowed == {"Buckets", "Objects", "Keys", "TlsOnly", "Login", "Repositories"}


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
def test_a_trust_policy_that_was_changed_by_hand_is_told(role: Role, name: str) -> None:
    role.change("trust", "Current", TRUST[name])
    lines = role.differs()
    told = "external ID of the parameter" if name == "another external ID" else "trust policy, statement Current"
    assert any(line.startswith(f"DIFFERS  {told}: ") for line in lines)
    assert not any("another-one" in line or "second-one" in line for line in lines)


def test_a_statement_that_was_added_is_told(role: Role) -> None:
    extra = {"Sid": "Extra", "Effect": "Allow", "Action": "iam:ListRoles", "Resource": "*"}
    document = role.documents["ecr"]
    role.write("ecr", {**document, "Statement": [*document["Statement"], extra]})
    lines = role.differs()
    assert any(f"policy {ROLE}-ecr, statement Extra: expected none" in line for line in lines)
    assert any("iam:ListRoles: expected refused, found allowed" in line for line in lines)


def test_the_order_of_lists_and_the_sids_of_policies_are_no_difference(role: Role) -> None:
    def turned(statement: Statement) -> Statement:
        return {**statement, "Sid": "Turned", "Action": sorted(values(statement["Action"]))}

    for name in ("s3", "ecr"):
        document = role.documents[name]
        statements = [turned(each) for each in reversed(document["Statement"])]
        for number, each in enumerate(statements):
            each["Sid"] += str(number)
        role.write(name, {**document, "Statement": statements})
    role.holds()


class TestTheRole:
    def test_as_it_was_provisioned_it_holds(self, role: Role) -> None:
        role.holds()

    def test_its_maximum_session_is_compared(self, role: Role) -> None:
        root = role.kit.root()
        root.call("iam", "update_role", RoleName=ROLE, MaxSessionDuration=7200)
        lines = role.differs()
        root.call("iam", "update_role", RoleName=ROLE, MaxSessionDuration=3600)
        assert lines == ["DIFFERS  role's maximum session: expected 3600 s, found 7200 s"]

    def test_a_boundary_is_compared(self, role: Role) -> None:
        root = role.kit.root()
        everything = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}}
        root.ensure("iam", "create_policy", PolicyName="somebodys-extra", PolicyDocument=json.dumps(everything))
        root.call("iam", "put_role_permissions_boundary", RoleName=ROLE, PermissionsBoundary=EXTRA)
        lines = role.differs()
        root.call("iam", "delete_role_permissions_boundary", RoleName=ROLE)
        assert f"DIFFERS  role's permissions boundary: expected none, found {EXTRA}" in lines
        assert any("ecr:GetAuthorizationToken: expected allowed, found refused" in line for line in lines)

    def test_a_policy_attached_by_hand_is_told(self, role: Role) -> None:
        root = role.kit.root()
        nothing = {"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Action": "sqs:*", "Resource": "*"}}
        root.ensure("iam", "create_policy", PolicyName="somebodys-deny", PolicyDocument=json.dumps(nothing))
        arn = f"arn:aws:iam::{ACCOUNT}:policy/somebodys-deny"
        root.call("iam", "attach_role_policy", RoleName=ROLE, PolicyArn=arn)
        lines = role.differs()
        root.call("iam", "detach_role_policy", RoleName=ROLE, PolicyArn=arn)
        assert lines == [f"DIFFERS  policy {arn}: expected not attached, found attached"]

    @pytest.mark.parametrize("service", ["s3", "ecr"])
    def test_a_policy_detached_by_hand_is_told(self, role: Role, service: str) -> None:
        root, arn = role.kit.root(), f"arn:aws:iam::{ACCOUNT}:policy/{ROLE}-{service}"
        root.call("iam", "detach_role_policy", RoleName=ROLE, PolicyArn=arn)
        lines = role.differs()
        root.call("iam", "attach_role_policy", RoleName=ROLE, PolicyArn=arn)
        assert f"DIFFERS  policy {ROLE}-{service}: expected attached, found not attached" in lines
        assert any(f"{service}:" in line and "expected allowed, found refused" in line for line in lines)

    def test_an_inline_policy_is_told_and_what_it_opens_is_tried(self, role: Role) -> None:
        everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
        role.kit.root().call(
            "iam", "put_role_policy", RoleName=ROLE, PolicyName="mine", PolicyDocument=json.dumps(everything)
        )
        lines = role.differs()
        assert "DIFFERS  inline policy mine: expected none, found present" in lines
        for tried in (
            f"s3:ListBucket in {NEAR}-data",
            f"ssm:GetParameter of {PARAMETER}",
            "ssm:GetParameter of /unity/proof/dev2/cs/sts/role/external-id",
            "ecr:ListImages in proof-dev2/venue-access-probe",
            "iam:ListRoles",
            f"s3:GetBucketPolicy in {BUCKET}",
        ):
            assert any(f"{tried}: expected refused, found allowed" in line for line in lines), tried

    def test_a_revocation_of_the_kits_is_no_difference_but_one_in_name_alone_is(self, role: Role) -> None:
        root, name = role.kit.root(), "venue-access-revoke-20261120T221500Z-3f9c21ab"
        statement = {
            "Effect": "Deny",
            "Action": "*",
            "Resource": "*",
            "Condition": {"StringEquals": {"aws:userid": "AROAEXAMPLE:alice-20261120T221500Z-3f9c21ab"}},
        }
        for effect in ("Deny", "Allow"):
            document = {"Version": "2012-10-17", "Statement": [{**statement, "Effect": effect}]}
            root.call("iam", "put_role_policy", RoleName=ROLE, PolicyName=name, PolicyDocument=json.dumps(document))
            if effect == "Deny":
                role.holds()
            else:
                wrong = f"DIFFERS  inline policy {name}, a revocation: expected denies only, found an Allow"
                assert role.differs() == [wrong]

    def test_a_rotation_under_way_is_no_difference(self, role: Role) -> None:
        document = role.documents["trust"]
        incoming = copy.deepcopy(document["Statement"][0])
        incoming["Sid"] = "Incoming"
        incoming["Condition"]["StringEquals"]["sts:ExternalId"] = "incoming-id"
        role.write("trust", {**document, "Statement": [*document["Statement"], incoming]})
        result = role.verify()
        assert result.code == 0
        assert "accepted by the trust policy; a rotation is under way (announced)" in result.out
        assert "incoming-id" not in result.out


class TestTheProbes:
    def test_each_line_says_what_was_tried_what_was_expected_and_what_came_back(self, role: Role) -> None:
        lines = role.verify().out.splitlines()
        assert all(": expected " in line and ", found " in line for line in lines)
        for tried in (
            "sts:AssumeRole without an external ID: expected refused, found refused",
            "sts:AssumeRole with a wrong external ID: expected refused, found refused",
            f"s3:PutObject (an upload begun) in {BUCKET}: expected allowed, found allowed",
            f"s3:AbortMultipartUpload in {BUCKET}: expected allowed, found allowed",
            "ecr:PutImage in proof-dev/venue-access-probe: expected allowed, found allowed",
            f"s3:ListBucket in {BUCKET}2: expected refused, found refused",
            f"sts:AssumeRole of {ROLE} with the token: expected refused, found refused",
        ):
            assert any(line.startswith("ok") and tried in line for line in lines), tried
        assert any("kms:Decrypt" in line and line.startswith("ok") for line in lines)

    def test_they_leave_nothing_behind(self, role: Role) -> None:
        root = role.kit.root()
        everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
        document = json.dumps(everything)
        root.call("iam", "put_role_policy", RoleName=ROLE, PolicyName="mine", PolicyDocument=document)
        before = _remains(role)
        assert role.verify().code == 7
        assert _remains(role) == before

    def test_a_json_document_has_every_check(self, role: Role) -> None:
        result = role.verify("--json")
        document = result.document()
        assert document["venue"] == VENUE
        assert document["differences"] == 0
        assert {"tried", "expected", "found", "holds"} == set(document["checks"][0])
        assert len(document["checks"]) == len(role.verify().out.splitlines())

    def test_with_a_lost_parameter_there_is_no_token_to_try(self, role: Role) -> None:
        root = role.kit.root()
        root.call("ssm", "delete_parameter", Name=PARAMETER)
        result = role.verify()
        root.call("ssm", "put_parameter", Name=PARAMETER, Value=role.external_id, Type="SecureString")
        assert result.code == 7
        assert "external ID of the parameter: expected accepted by the trust policy, found parameter lost" in result.out
        assert "not tried: there is no external ID to issue it with" in result.out

    def test_a_caller_whom_the_role_does_not_trust_is_told_what_could_not_be_tried(
        self, role: Role, tmp_path: Path
    ) -> None:
        kit = Kit(tmp_path, role.kit.work_directory)
        stranger = f"arn:aws:iam::{ACCOUNT}:role/somebody"
        kit.write_inventory({VENUE: embedded(VENUE, trusted_principals=[stranger])})
        result = kit("verify")
        assert result.code == 7
        assert (
            f"unclear  a token: expected issued, found not tried: {embedded_operator_arn(ACCOUNT)}"[:60] in result.out
        )

    def test_a_venue_that_is_not_provisioned_differs(self, kit: Kit) -> None:
        name = new_venue()
        kit.write_inventory({name: embedded(name)})
        result = kit("verify", "--venue", name)
        assert result.code == 7
        role_name = f"unity-{name}-sts"
        assert result.out == f"DIFFERS  role {role_name}: expected present, found absent\n"

    def test_a_dry_run_tries_nothing(self, role: Role) -> None:
        result = role.kit("--dry", "verify", "--venue", VENUE)
        assert (result.code, result.out) == (0, "")


def _remains(role: Role) -> list[Any]:
    root = role.kit.root()
    buckets = [each["Name"] for each in root.call("s3", "list_buckets")["Buckets"]]
    repositories = [each["repositoryName"] for each in root.call("ecr", "describe_repositories")["repositories"]]
    objects = root.call("s3", "list_objects_v2", Bucket=BUCKET).get("Contents", [])
    uploads = root.call("s3", "list_multipart_uploads", Bucket=BUCKET).get("Uploads", [])
    roles = [each["RoleName"] for each in root.call("iam", "list_roles")["Roles"]]
    return [buckets, repositories, objects, uploads, roles]
