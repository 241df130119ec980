"""The SSM parameter of an external ID keeps what somebody else gave it: its type, its key, its description."""

from __future__ import annotations

import json
import shutil
from typing import Any

import pytest

from tests.functional.kit import Kit, emulated
from tests.functional.provisioning import REST, live_ids, parameter_of

KEY, OTHER_KEY = "alias/the-platforms", "alias/another"
KEPT = {"Description": "made by the platform", "AllowedPattern": "^[a-z].*"}


def described(kit: Kit, venue: str) -> dict[str, Any]:
    """What SSM says of the parameter, without when it was written and by whom."""
    named = [{"Key": "Name", "Option": "Equals", "Values": [parameter_of(venue)]}]
    (found,) = kit.root().call("ssm", "describe_parameters", ParameterFilters=named)["Parameters"]
    return {key: value for key, value in found.items() if key not in ("LastModifiedDate", "LastModifiedUser")}


def make_parameter(kit: Kit, venue: str, **attributes: str) -> dict[str, Any]:
    kit.done("local.up")
    given: dict[str, Any] = {"Name": parameter_of(venue), "Value": "made-by-the-platform"}
    kit.root().call("ssm", "put_parameter", **{**given, **KEPT, **attributes})
    return described(kit, venue)


def state_of_the_parameter(kit: Kit, venue: str) -> dict[str, Any]:
    state = json.loads((kit.work_directory / "stacks" / venue / "terraform.tfstate").read_text())
    (found,) = [each for each in state["resources"] if each["type"] == "aws_ssm_parameter"]
    attributes: dict[str, Any] = found["instances"][0]["attributes"]
    return attributes


@pytest.mark.soak
def test_customer_key_is_kept_until_the_inventory_changes_it(kit: Kit, venue: str) -> None:
    was = make_parameter(kit, venue, Type="SecureString", KeyId=KEY)
    checked = kit.done("provision", "--check", "--diff")
    planned = (
        checked.err.split("aws_ssm_parameter.external_id (imported)\n")[1]
        .split("\n+ ")[0]
        .split("\n~ ")[0]
        .split(f"\n{venue}: ")[0]
    )
    assert {line.split(".")[0].strip() for line in planned.splitlines()} == {"tags"}
    kit.done("provision")
    assert described(kit, venue) == was  # the version too: Terraform wrote nothing but tags

    kit.done("rotate-external-id")
    assert described(kit, venue) == {**was, "Version": 2}

    shutil.rmtree(kit.work_directory / "stacks" / venue)  # as another machine, or with the state lost
    kit.done("provision")
    assert described(kit, venue) == {**was, "Version": 2}

    (external_id,) = live_ids(kit, venue)
    kit.write_inventory({venue: emulated(venue, external_id_kms_key=OTHER_KEY)})
    assert f"DIFFERS  KMS key of the parameter: expected {OTHER_KEY}, found {KEY}\n" in kit("verify").out
    assert kit.done("provision").out == f"{venue} : ok=9 changed=1 {REST}\n"
    assert described(kit, venue) == {**was, "Version": 3, "KeyId": OTHER_KEY}
    assert live_ids(kit, venue) == {external_id}


@pytest.mark.soak
def test_string_parameter_keeps_its_type(kit: Kit, venue: str) -> None:
    was = make_parameter(kit, venue, Type="String")
    kit.write_inventory({venue: emulated(venue, external_id_kms_key=KEY)})
    made = kit.done("provision")
    assert f"warning: {venue}: external_id_kms_key is not applied; " in made.err
    assert described(kit, venue) == was
    assert kit.done("provision").out == f"{venue} : ok=9 changed=0 {REST}\n"
    kit.done("rotate-external-id")
    assert described(kit, venue) == {**was, "Version": 2}

    status = kit.done("status")
    assert "; its SSM parameter is a String\n" in status.out
    steps = (
        f"aws ssm delete-parameter --region us-west-2 --name {parameter_of(venue)}; wait 30 seconds; invoke provision"
    )
    assert steps in status.err
    verified = kit("verify")
    assert verified.code == 7  # the inventory wants a key
    assert f"DIFFERS  KMS key of the parameter: expected {KEY}, found none\n" in verified.out
    assert steps in verified.err

    ids = live_ids(kit, venue)
    kit.root().call("ssm", "delete_parameter", Name=parameter_of(venue))
    kit.done("provision")
    now = described(kit, venue)
    assert (now["Type"], now["KeyId"], now["Version"]) == ("SecureString", KEY, 1)
    assert live_ids(kit, venue) == ids
    assert "String" not in kit.done("status").out


@pytest.mark.soak
def test_changed_description_does_not_rewrite_external_id(kit: Kit, venue: str) -> None:
    """Terraform would send the value of its state, which may be an earlier one."""
    kit.done("provision")
    (external_id,) = live_ids(kit, venue)
    given: dict[str, Any] = {"Name": parameter_of(venue), "Value": external_id, "Type": "SecureString"}
    kit.root().call("ssm", "put_parameter", **given, Overwrite=True, Description="of an earlier release")
    assert kit.done("provision").out == f"{venue} : ok=9 changed=0 {REST}\n"
    now = described(kit, venue)
    assert (now["Description"], now["Version"]) == ("of an earlier release", 2)
    kit.write_inventory({venue: emulated(venue, tags={"Owner": "platform"})})  # tags are not part of PutParameter
    assert "changed=4" in kit.done("provision").out
    assert described(kit, venue) == now
    assert state_of_the_parameter(kit, venue)["tags"]["Owner"] == "platform"
