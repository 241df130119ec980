"""The trust policy and the external-ID parameter of a venue, as root reads and changes them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from tests.functional.kit import ACCOUNT, Kit, emulated
from venue_access.aws.client import AwsClient
from venue_access.errors import AccessDenied
from venue_access.inventory.model import emulator_operator_arn
from venue_access.policies.revocation import inline_names, remove_inline

GRACE_TAG = "venue-access:grace-until"
KNOWN = FIRST, SECOND, THIRD = "first-id-0001", "second-id-0002", "third-id-0003"


@dataclass
class VenueTrust:
    """The trust policy and the external-ID parameter of a venue, as root reads and changes them."""

    kit: Kit
    venue: str
    _first: dict[str, Any] = field(default_factory=dict)
    """The one statement of its trust policy in its first state."""
    _parameter: dict[str, Any] = field(default_factory=dict)
    _tags: list[dict[str, str]] = field(default_factory=list)

    @classmethod
    def provisioned(cls, kit: Kit, venue: str) -> VenueTrust:
        """Put a provisioned venue into its first state: stable, with an external ID that tests know."""
        made = cls(kit, venue)
        made._first = made.statement("Current", FIRST)
        found = made.root.call(
            "ssm", "describe_parameters", ParameterFilters=[{"Key": "Name", "Values": [made.parameter]}]
        )["Parameters"][0]
        made._parameter = {key: found[key] for key in ("Name", "Type", "Description")}
        kind: dict[str, Any] = {"ResourceType": "Parameter", "ResourceId": made.parameter}
        made._tags = made.root.call("ssm", "list_tags_for_resource", **kind)["TagList"]
        made.reset()
        return made

    def reset(self) -> None:
        """Restore the first state after a test: inventory, trust policy, parameter, tags and inline policies."""
        self.kit.write_inventory({self.venue: emulated(self.venue)})
        self.write_trust(self._first)
        self.root.call("ssm", "put_parameter", Value=FIRST, Overwrite=True, **self._parameter)
        tags: dict[str, Any] = {"ResourceType": "Parameter", "ResourceId": self.parameter, "Tags": self._tags}
        self.root.call("ssm", "add_tags_to_resource", **tags)
        self.root.call("iam", "untag_role", RoleName=self.role, TagKeys=[GRACE_TAG])
        for name in inline_names(self.root, self.role)[0]:
            remove_inline(self.root, self.role, name)

    @property
    def root(self) -> AwsClient:
        return self.kit.root()

    @property
    def role(self) -> str:
        return f"unity-{self.venue}-sts"

    @property
    def parameter(self) -> str:
        project, name = self.venue.split("-", 1)
        return f"/unity/{project}/{name}/cs/sts/role/external-id"

    def grace_tag(self) -> str | None:
        """The end of a grace period, as the role's tag has it."""
        tags = self.root.call("iam", "list_role_tags", RoleName=self.role)["Tags"]
        return next((tag["Value"] for tag in tags if tag["Key"] == GRACE_TAG), None)

    def published(self) -> str | None:
        found = self.root.parameter(self.parameter)
        return None if found is None else found.value.reveal()

    def policy(self) -> dict[str, Any]:
        live = self.root.role(self.role)
        assert live is not None
        return dict(live.trust_policy)

    def accepted(self) -> dict[str, str]:
        """The external IDs by Sid."""
        return {
            each["Sid"]: each["Condition"]["StringEquals"]["sts:ExternalId"]
            for each in self.policy()["Statement"]
            if "AssumeRole" in json.dumps(each["Action"])
        }

    def write_trust(self, *statements: dict[str, Any]) -> None:
        document = json.dumps({"Version": "2012-10-17", "Statement": statements})
        self.root.call("iam", "update_assume_role_policy", RoleName=self.role, PolicyDocument=document)

    def statement(self, sid: str | None, *ids: str) -> dict[str, Any]:
        """The kit's own statement with other IDs."""
        made: dict[str, Any] = json.loads(json.dumps(self.policy()["Statement"][0]))
        made.pop("Sid", None)
        made["Condition"].pop("StringEquals", None)
        if ids:
            made["Condition"]["StringEquals"] = {"sts:ExternalId": ids[0] if len(ids) == 1 else list(ids)}
        return made if sid is None else {"Sid": sid, **made}

    def put(self, value: str) -> None:
        self.root.call("ssm", "put_parameter", Name=self.parameter, Value=value, Type="SecureString", Overwrite=True)

    def lose_parameter(self) -> None:
        self.root.call("ssm", "delete_parameter", Name=self.parameter)

    def opens(self, external_id: str | None) -> bool:
        operator = self.root.with_credentials(
            self.root.assume_role(emulator_operator_arn(ACCOUNT), "prober").credentials
        )
        request: dict[str, Any] = {} if external_id is None else {"ExternalId": external_id}
        arn = f"arn:aws:iam::{ACCOUNT}:role/{self.role}"
        try:
            operator.call("sts", "assume_role", RoleArn=arn, RoleSessionName="prober", **request)
        except AccessDenied:
            return False
        return True

    def check_stable(self, *old: str) -> str:
        """Exactly one ID is accepted and it is the parameter's; none of ``old`` is."""
        published = self.published()
        assert published is not None
        assert published not in old
        assert self.accepted() == {"Current": published}
        assert self.opens(published)
        assert not self.opens(None)
        assert not any(self.opens(each) for each in old)
        self.kit.done("issue-token", "--user", "alice")
        return published
