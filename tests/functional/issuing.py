"""Helpers of the tests of ``issue-token``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.functional.kit import ACCOUNT, Kit, emulated
from venue_access.aws.client import AwsClient, Credentials
from venue_access.sensitive import Secret


def stored_id(kit: Kit, venue: str, account: str = ACCOUNT) -> str:
    project, name = venue.split("-", 1)
    parameter = kit.root(account).parameter(f"/unity/{project}/{name}/cs/sts/role/external-id")
    assert parameter is not None
    return parameter.value.reveal()


def ledger(kit: Kit) -> list[dict[str, Any]]:
    path = kit.work_directory / "ledger.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def tokens_in(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [record for record in records if record["kind"] == "issue"]


def refused(kit: Kit, *arguments: str, code: int, typed: str = "", **environment: str) -> str:
    """What is said where no token is issued: nothing on standard output, no traceback, no token in the ledger."""
    before = len(tokens_in(ledger(kit)))
    result = kit("issue-token", *arguments, typed=typed, timeout=300, **environment)
    assert (result.code, result.out) == (code, ""), result.err
    assert "Traceback" not in result.err
    assert result.err.startswith("error: ")
    assert len(tokens_in(ledger(kit))) == before
    return result.err


def same_venue(kit: Kit, tmp_path: Path, name: str, **variables: Any) -> Kit:
    """The provisioned venue as another inventory describes it."""
    other = Kit(tmp_path, kit.work_directory)
    other.write_inventory({name: emulated(name, **variables)})
    return other


def iam_user(root: AwsClient, name: str, *, allow: dict[str, str]) -> dict[str, str]:
    """An IAM user who may do no more than ``allow`` says, action by resource: the environment with their keys."""
    root.ensure("iam", "create_user", UserName=name)
    statements = [{"Effect": "Allow", "Action": action, "Resource": on} for action, on in allow.items()]
    document = json.dumps({"Version": "2012-10-17", "Statement": statements})
    root.call("iam", "put_user_policy", UserName=name, PolicyName="issuer", PolicyDocument=document)
    made = root.call("iam", "create_access_key", UserName=name)["AccessKey"]
    return Credentials(made["AccessKeyId"], Secret(made["SecretAccessKey"])).environment()
