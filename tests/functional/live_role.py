"""A provisioned role as root changes it by hand, to be verified."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.functional.kit import ACCOUNT, OTHER_ACCOUNT, Kit, Result, emulated
from tests.functional.template import KEY_ALIAS

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
    changed: set[str] = field(default_factory=set)
    """Which of them are not so now."""

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
        self.changed.add(name)
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

    def restore(self) -> None:
        """Put right what a test did to its policies."""
        root = self.kit.root()
        for name in tuple(self.changed):
            self.write(name, self.documents[name])
        self.changed.clear()
        for name in root.call("iam", "list_role_policies", RoleName=ROLE)["PolicyNames"]:
            root.call("iam", "delete_role_policy", RoleName=ROLE, PolicyName=name)


def provisioned_role(kit: Kit) -> Role:
    """The role of a venue that has everything, and neighbours."""
    key = kit.root().call("kms", "describe_key", KeyId=KEY_ALIAS)["KeyMetadata"]["Arn"]
    hosts = {
        VENUE: emulated(VENUE, kms_key_arns=[key], users={"alice": None}),
        OTHER: emulated(OTHER, account_id=OTHER_ACCOUNT),
        NEAR: emulated(NEAR),
    }
    kit.write_inventory(hosts)
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
