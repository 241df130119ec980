from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from venue_access.aws.client import Credentials, Endpoint
from venue_access.errors import UsageError
from venue_access.provisioning.cli_config import terraform_environment
from venue_access.provisioning.terraform import Change, Plan, StateResources, Terraform, resources_in, state_file
from venue_access.sensitive import Secret

KEYS = Credentials("ASIAVENUE", Secret("secret"), Secret("token"))
ROLE = 'module.venue["unity-dev"].aws_iam_role.this'


def a_state(*instances: dict[str, Any], **resource: Any) -> dict[str, Any]:
    """A state of one resource (state format version 4), less what is not read."""
    described = {"mode": "managed", "type": "aws_iam_role", "name": "this", "instances": list(instances), **resource}
    return {"version": 4, "serial": 3, "resources": [described]}


def test_state_addresses_are_those_of_its_instances() -> None:
    assert resources_in({}) == StateResources()
    assert resources_in(a_state({})).addresses == {"aws_iam_role.this"}
    assert resources_in(a_state({}, module='module.venue["unity-dev"]')).addresses == {ROLE}
    keyed = a_state({"index_key": "s3"}, {"index_key": 1}, type="aws_iam_policy")
    assert resources_in(keyed).addresses == {'aws_iam_policy.this["s3"]', "aws_iam_policy.this[1]"}
    assert resources_in(a_state({}, mode="data")) == StateResources()


def test_tainted_resource_is_updated_and_not_replaced() -> None:
    found = resources_in(a_state({"status": "tainted"}, module='module.venue["unity-dev"]'))
    assert found == StateResources(frozenset([ROLE]), frozenset([ROLE]))
    other = Change("aws_iam_role.other", "replace")
    plan = Plan(Path("plan.tfplan"), (Change(ROLE, "replace"), other))
    assert plan.untainted(found.tainted).changes == (Change(ROLE, "update"), other)


@pytest.mark.parametrize(
    "text", [b"", b'{"version": 4, "resour', b"\x00", b'{"tag": "\xc3', b"[]", b"null", b'{"resources": [{}]}']
)
def test_truncated_state_is_set_aside(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "terraform.tfstate").write_bytes(text)
    assert state_file(tmp_path) is None
    assert (tmp_path / "terraform.tfstate.unreadable").read_bytes() == text
    assert state_file(tmp_path) is None  # there is none


def test_directory_instead_of_a_state_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "terraform.tfstate").mkdir()
    with pytest.raises(UsageError, match=r"cannot read .*terraform.tfstate: is a directory"):
        state_file(tmp_path)


def test_complete_state_is_read(tmp_path: Path) -> None:
    (tmp_path / "terraform.tfstate").write_text(json.dumps(a_state({})))
    assert state_file(tmp_path) == a_state({})


def test_environment_has_the_venues_credentials_and_nothing_that_changes_the_run() -> None:
    environ = {
        "PATH": "/bin",
        "HTTPS_PROXY": "http://proxy",
        "AWS_PROFILE": "other",
        "AWS_ACCESS_KEY_ID": "AKIAOTHER",
        "AWS_SECURITY_TOKEN": "old",
        "AWS_ENDPOINT_URL_S3": "http://elsewhere",
        "AWS_CA_BUNDLE": "/etc/ca.pem",
        "TF_LOG": "TRACE",
        "TF_VAR_venues": "{}",
        "TF_CLI_ARGS_apply": "-auto-approve",
        "TF_WORKSPACE": "other",
        "TF_CLI_CONFIG_FILE": "/rc",
    }
    real = terraform_environment(environ, KEYS, "us-west-2", None)
    assert real == {
        "PATH": "/bin",
        "HTTPS_PROXY": "http://proxy",
        "AWS_ENDPOINT_URL_S3": "http://elsewhere",
        "AWS_CA_BUNDLE": "/etc/ca.pem",
        "TF_CLI_CONFIG_FILE": "/rc",
        "AWS_ACCESS_KEY_ID": "ASIAVENUE",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_SESSION_TOKEN": "token",
        "AWS_REGION": "us-west-2",
        "AWS_EC2_METADATA_DISABLED": "true",
        "CHECKPOINT_DISABLE": "1",
        "GOGC": "400",
        "TF_IN_AUTOMATION": "1",
    }
    emulator = terraform_environment(environ, KEYS, "us-west-2", Endpoint("https://127.0.0.1:1", Path("/ca.pem")))
    assert emulator["AWS_ENDPOINT_URL"] == "https://127.0.0.1:1"
    assert emulator["AWS_CA_BUNDLE"] == "/ca.pem"
    assert "AWS_ENDPOINT_URL_S3" not in emulator


def test_missing_terraform_is_an_error_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no-such-terraform is not on the PATH\n  set it up with: scripts/bootstrap"):
        Terraform(tmp_path, program="no-such-terraform", environment=dict, venue="unity-dev")
