from __future__ import annotations

from pathlib import Path

import pytest

from venue_access.errors import UsageError
from venue_access.provisioning.state import StateResources, resources_in
from venue_access.provisioning.terraform import Change, Plan, Terraform

ROLE = 'module.venue["unity-dev"].aws_iam_role.this'


def test_tainted_resource_is_updated_and_not_replaced() -> None:
    role = {"module": 'module.venue["unity-dev"]', "mode": "managed", "type": "aws_iam_role", "name": "this"}
    found = resources_in({"resources": [{**role, "instances": [{"status": "tainted"}]}]})
    assert found == StateResources(frozenset([ROLE]), frozenset([ROLE]))
    other = Change("aws_iam_role.other", "replace")
    plan = Plan(Path("plan.tfplan"), (Change(ROLE, "replace"), other))
    assert plan.untainted(found.tainted).changes == (Change(ROLE, "update"), other)


def test_missing_terraform_is_an_error_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no-such-terraform is not on the PATH\n  set it up with: scripts/bootstrap"):
        Terraform(tmp_path, program="no-such-terraform", environment=dict, venue="unity-dev")
