"""``invoke provision`` with the real Terraform and provider, on the AWS emulator."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from tests.functional.kit import ACCOUNT, Kit, emulated, new_venue
from tests.functional.provisioning import (
    REST,
    emulated_as_if_real,
    environment,
    iam_documents,
    live_ids,
    operator_keys,
    parameter_of,
    role_of,
    serial,
)
from tests.functional.proxy import Proxy
from venue_access.emulator.server import aws_emulator
from venue_access.policies.documents import listed


def test_second_run_changes_and_writes_nothing(kit: Kit, venue: str, proxy: Proxy) -> None:
    kit.write_inventory({venue: emulated(venue, aws_endpoint_url=proxy.url)})

    first = kit.done("provision", "--venue", venue)
    assert first.out == f"{venue} : ok=9 changed=6 {REST}\n"
    before, began = iam_documents(kit, venue), serial(kit, venue)
    assert "SecureString" in json.dumps(kit.root().call("ssm", "get_parameter", Name=parameter_of(venue)), default=str)
    proxy.forget()

    second = kit.done("provision", "--fail-on-change")  # the only venue is inferred
    assert second.out == f"{venue} : ok=9 changed=0 {REST}\n"
    assert proxy.writes == []
    assert iam_documents(kit, venue) == before
    assert serial(kit, venue) == began
    assert not (live_ids(kit, venue) & set((first.out + first.err + second.out + second.err).split()))
    assert_work_directory_is_private(kit, venue)


def test_equivalent_policies_are_not_changed(kit: Kit, venue: str) -> None:
    kit.done("provision")
    root, role = kit.root(), role_of(venue)
    live = root.role(role)
    assert live is not None
    indented = json.dumps(live.trust_policy, indent=4, sort_keys=True)
    root.call("iam", "update_assume_role_policy", RoleName=role, PolicyDocument=indented)
    for arn in root.attached_policies(role):
        document = root.call("iam", "get_policy_version", PolicyArn=arn, VersionId="v1")["PolicyVersion"]["Document"]
        statements = [{**each, "Resource": listed(each["Resource"])[::-1]} for each in document["Statement"][::-1]]
        text = json.dumps({**document, "Statement": statements}, indent=4)
        root.call("iam", "create_policy_version", PolicyArn=arn, PolicyDocument=text, SetAsDefault=True)
    assert kit.done("provision").out == f"{venue} : ok=9 changed=0 {REST}\n"


def assert_work_directory_is_private(kit: Kit, venue: str) -> None:
    """What holds an external ID is 0600 in folders of 0700, the facts hold none, and no key is anywhere."""
    (external_id,) = live_ids(kit, venue)
    emulator_folder = aws_emulator(kit.work_directory).folder
    facts = json.loads((kit.work_directory / "facts" / f"{venue}.json").read_text())
    assert facts["role_arn"] == f"arn:aws:iam::{ACCOUNT}:role/{role_of(venue)}"
    holders = []
    for folder, _, files in os.walk(kit.work_directory):
        if Path(folder).is_relative_to(emulator_folder):
            continue
        assert stat.S_IMODE(os.stat(folder).st_mode) == 0o700 or ".terraform" in folder, folder
        for path in (Path(folder, name) for name in files):
            text = path.read_bytes() if path.stat().st_size < 1_000_000 else b""
            assert b"FwoG" not in text, f"{path} holds a session token"
            assert b"AWS_SECRET" not in text
            if external_id.encode() in text:
                holders.append(path.name)
                assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    assert set(holders) <= {"terraform.tfstate", "terraform.tfstate.backup", "external_ids.auto.tfvars.json"}
    assert f"{venue}.json" not in holders


@pytest.mark.soak
def test_work_directory_has_no_operator_credentials(kit: Kit, venue: str) -> None:
    """The keys come from the environment here, so that they are known."""
    kit.write_inventory({venue: emulated_as_if_real(kit, venue)})
    keys = operator_keys(kit)
    kit.done("provision", **environment(kit, keys))
    secrets = [value.reveal().encode() for value in (keys.secret_access_key, keys.session_token) if value is not None]
    assert len(secrets) == 2
    emulator_folder = aws_emulator(kit.work_directory).folder
    for folder, _, files in os.walk(kit.work_directory):
        for path in (Path(folder, name) for name in files):
            if path.is_relative_to(emulator_folder) or path.stat().st_size > 1_000_000:
                continue
            assert not any(secret in path.read_bytes() for secret in secrets), path


@pytest.mark.soak
def test_check_and_dry_run_of_a_new_venue_only_plan(kit: Kit, venue: str, proxy: Proxy) -> None:
    kit.write_inventory({venue: emulated(venue, aws_endpoint_url=proxy.url)})
    fresh = kit.done("provision", "--check")
    assert fresh.out == f"{venue} : ok=0 changed=6 {REST}\n"
    assert fresh.err.endswith(f"\n{venue}: 6 to add, 0 to change, 0 to destroy\n")
    assert f"{venue} : ok=0 changed=6 {REST}" in kit.done("--dry", "provision").out
    assert proxy.writes == []
    assert not (kit.work_directory / "stacks" / venue / "terraform.tfstate").exists()


def test_check_plans_and_diff_hides_external_id(provisioned_copy: tuple[Kit, str], proxy_of_copy: Proxy) -> None:
    (kit, venue), proxy = provisioned_copy, proxy_of_copy
    variables = {"aws_endpoint_url": proxy.url}
    (external_id,) = live_ids(kit, venue)
    began = serial(kit, venue)
    kit.write_inventory({venue: emulated(venue, **variables, tags={"Team": "ops"}, s3_allow_delete=True)})

    planned = kit("provision", "--check", "--diff", "--json", "--fail-on-change")
    assert planned.code == 7
    assert planned.document() == {
        "venues": {
            venue: {
                "stack": venue,
                "changed": True,
                "add": 0,
                "change": 4,
                "destroy": 0,
                "failed": False,
                "unreachable": False,
                "error": None,
                "role_arn": f"arn:aws:iam::{ACCOUNT}:role/{role_of(venue)}",
                "external_id_parameter": parameter_of(venue),
            }
        }
    }
    assert f'~ module.venue["{venue}"].aws_iam_role.this' in planned.err
    assert planned.err.count('tags.Team: (none) -> "ops"') == 4
    assert '"s3:DeleteObject"' in planned.err
    assert external_id not in planned.out + planned.err
    assert proxy.writes == []
    assert serial(kit, venue) == began

    changed = kit("provision", "--diff", "--fail-on-change")
    assert changed.code == 7
    assert changed.out == f"{venue} : ok=9 changed=4 {REST}\n"
    assert external_id not in changed.out + changed.err
    assert live_ids(kit, venue) == {external_id}


def test_destructive_plan_is_refused(provisioned_copy: tuple[Kit, str], proxy_of_copy: Proxy) -> None:
    (kit, venue), proxy = provisioned_copy, proxy_of_copy
    kit.write_inventory({venue: emulated(venue, aws_endpoint_url=proxy.url, role_path="/venues/")})
    proxy.forget()

    refused = kit("provision")
    assert refused.code == 2
    assert f"{venue}: the plan destroys " in refused.err
    assert "--allow-destroy" in refused.err
    assert refused.out == f"{venue} : ok=6 changed=0 unreachable=0 failed=1 skipped=0 rescued=0 ignored=0\n"
    assert proxy.writes == []


@pytest.mark.soak
def test_destructive_plan_is_applied_if_allowed(kit: Kit, venue: str) -> None:
    kit.done("provision")
    ids = live_ids(kit, venue)
    kit.write_inventory({venue: emulated(venue, role_path="/venues/")})
    allowed = kit.done("provision", "--allow-destroy")
    assert allowed.out == f"{venue} : ok=9 changed=10 {REST}\n"
    role = kit.root().role(role_of(venue))
    assert role is not None
    assert role.path == "/venues/"
    assert live_ids(kit, venue) == ids


def test_invalid_venues_and_limits_are_refused_first(kit: Kit) -> None:
    dev, test = new_venue(), new_venue()
    kit.write_inventory({name: emulated(name) for name in (dev, test)})
    for arguments, message in (
        (["--venue", "nowhere"], dev),
        ([], dev),  # none of two can be inferred
        (["--venue", dev, "--limit", test], "exclude each other"),
        (["--limit", "nothing*"], "nothing*"),
        (["--limit", f"{dev}:!{dev}"], ""),
    ):
        refused = kit("provision", *arguments)
        assert (refused.code, refused.out) == (2, ""), arguments
        assert message in refused.err
        assert "Traceback" not in refused.err


def test_failed_prerequisites_stop_only_their_venue(kit: Kit, proxy: Proxy) -> None:
    good, bucketless, unbounded, listed, bounded, unread, garbled, taken = (new_venue() for _ in range(8))
    shared: dict[str, Any] = {"stack": f"stack-{good}", "aws_endpoint_url": proxy.url}
    kit.write_inventory(
        {
            good: emulated(good, **shared),
            bucketless: emulated(bucketless, **shared, s3_buckets=None),
            unbounded: emulated(unbounded, **shared, permissions_boundary=f"arn:aws:iam::aws:policy/{unbounded}"),
            listed: emulated(listed, **shared, s3_buckets=None),
            bounded: emulated(bounded, **shared, permissions_boundary=f"ssm:/platform/{bounded}"),
            unread: emulated(unread, **shared, permissions_boundary=f"ssm:/platform/{unread}"),
            garbled: emulated(garbled, **shared, permissions_boundary=f"ssm:/platform/{garbled}"),
            taken: emulated(taken, **shared, s3_buckets=None),
        }
    )
    found = f"/unity/{listed.replace('-', '/')}/ds/datastore-bucket"
    kit.done("local.up")
    bounding = json.dumps({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}})
    kit.root().call("iam", "create_policy", PolicyName=f"{bounded}-boundary", PolicyDocument=bounding)
    for name, value in (
        (found, "found-bucket"),
        (f"/unity/{taken.replace('-', '/')}/ds/datastore-bucket", f"{good}-data"),
        (f"/platform/{bounded}", f"{bounded}-boundary"),
        (f"/platform/{garbled}", "ssm:/platform/another"),
    ):
        kit.root().call("ssm", "put_parameter", Name=name, Value=value, Type="String")

    run = kit("provision", "--limit", "all,typo")
    assert run.code == 2
    assert "warning: the limit's 'typo' matches nothing" in run.err
    assert f"/unity/{bucketless.replace('-', '/')}/ds/datastore-bucket" in run.err
    assert "s3_buckets" in run.err
    assert f"{unbounded}: permissions_boundary: there is no policy" in run.err
    lines = dict(line.split(" : ") for line in (" : ".join(x.split(None, 2)[::2]) for x in run.out.splitlines()))
    assert (
        f"{unread}: permissions_boundary: the SSM parameter /platform/{unread} does not exist in us-west-2" in run.err
    )
    assert f"{garbled}: permissions_boundary: the SSM parameter /platform/{garbled}: " in run.err
    assert f"{taken}: the bucket '{good}-data', which the SSM parameter" in run.err
    assert lines[good] == lines[listed] == lines[bounded] == f"ok=9 changed=6 {REST}"
    failed = REST.replace("failed=0", "failed=1").join(["ok=0 changed=0 ", ""])
    assert {lines[name] for name in (bucketless, unbounded, unread, garbled, taken)} == {failed}
    role = kit.root().role(role_of(bounded))
    assert role is not None
    assert role.permissions_boundary_arn == f"arn:aws:iam::{ACCOUNT}:policy/{bounded}-boundary"
    facts = json.loads((kit.work_directory / "facts" / f"{listed}.json").read_text())
    assert facts["s3_buckets"] == ["found-bucket"]
    assert kit.root().role(role_of(bucketless)) is None


def test_unverifiable_trust_policy_is_a_warning(template: Path) -> None:
    """The template's own run has two such venues."""
    out, err = (template.parent / "out").read_text(), (template.parent / "err").read_text()
    assert out.count("ok=6 changed=6 unreachable=0 failed=0 skipped=1") == 2
    assert "warning: issuer-dev: the trust policy was not verified" in err
    assert "is not one of the venue's trusted_principals" in err
    assert "warning: mfa-dev: the trust policy was not verified: the role requires MFA" in err


@pytest.mark.soak
def test_closed_pipe_is_not_an_error(kit: Kit, venue: str) -> None:
    with kit.start("provision") as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        message = process.stderr.read()
        process.wait()
    assert "Traceback" not in message
    assert "BrokenPipe" not in message
    assert process.returncode == 0
    assert kit.root().role(role_of(venue)) is not None
