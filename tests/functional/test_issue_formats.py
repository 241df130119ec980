"""``issue-token --format``: a real token in each format, used as its readers do."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path

import botocore.session
import pytest

from tests.functional.kit import CHECKOUT, REGION, Kit
from tests.functional.shells import QUOTED, UNQUOTED, environments
from venue_access.aws.client import AwsClient, Credentials
from venue_access.emulator.server import aws_emulator
from venue_access.sensitive import Secret


def issued(kit: Kit, name: str, form: str, *flags: str) -> str:
    """What ``issue-token`` prints for alice in a format."""
    return kit.done("issue-token", "--user", "alice", "--venue", name, "--format", form, *flags).out


def whose(kit: Kit, access_key: str, secret_key: str, token: str) -> str:
    """The ARN that the AWS emulator knows these keys by."""
    keys = Credentials(access_key, Secret(secret_key), Secret(token))
    return AwsClient(region=REGION, credentials=keys, endpoint=aws_emulator(kit.work_directory).endpoint()).caller().arn


@pytest.mark.parametrize(("form", "shell", "way"), [("env", "dash", UNQUOTED), ("fish", "fish", "source {file}")])
def test_shell_with_token_is_its_recipient(
    provisioned: tuple[Kit, str], form: str, shell: str, way: str, tmp_path: Path
) -> None:
    kit, name = provisioned
    (folder := tmp_path / "here").mkdir()
    (found,) = environments(shell, way, [issued(kit, name, form)], folder)
    keys = (found["AWS_ACCESS_KEY_ID"], found["AWS_SECRET_ACCESS_KEY"], found["AWS_SESSION_TOKEN"])
    assert "/alice-" in whose(kit, *keys)
    assert found["AWS_REGION"] == found["AWS_DEFAULT_REGION"] == REGION
    assert "AWS_PROFILE" not in found


@pytest.mark.parametrize("form", ["json", "process", "legacy-json"])
def test_sts2env_loads_delivered_token(provisioned: tuple[Kit, str], form: str, tmp_path: Path) -> None:
    kit, name = provisioned
    script = [sys.executable, str(CHECKOUT / "scripts" / "sts2env")]
    text = subprocess.run(script, input=issued(kit, name, form), capture_output=True, text=True, check=True).stdout
    (folder := tmp_path / "here").mkdir()
    (found,) = environments("bash", QUOTED, [text], folder)
    keys = (found["AWS_ACCESS_KEY_ID"], found["AWS_SECRET_ACCESS_KEY"], found["AWS_SESSION_TOKEN"])
    assert "/alice-" in whose(kit, *keys)


def profile_of(file: Path, profile: str) -> botocore.session.Session:
    files = {"config_file": (None, None, str(file), None), "credentials_file": (None, None, str(file), None)}
    return botocore.session.Session(session_vars=files, profile=profile)


def test_process_format_works_in_aws_sdk(
    provisioned: tuple[Kit, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kit, name = provisioned
    for variable, value in kit.environment.items():
        monkeypatch.setenv(variable, value)
    command = [sys.executable, "-m", "invoke", "--search-root", str(CHECKOUT), "issue-token"]
    command += ["--user", "alice", "--venue", name, "--format", "process"]
    file = tmp_path / "config"
    file.write_text(f"[profile issuer]\ncredential_process = {shlex.join(command)}\n")
    found = profile_of(file, "issuer").get_credentials()
    assert found is not None
    assert found.method == "custom-process"
    keys = found.get_frozen_credentials()
    assert keys.access_key
    assert keys.secret_key
    assert keys.token
    assert "/alice-" in whose(kit, keys.access_key, keys.secret_key, keys.token)


def test_ini_format_works_in_aws_sdk(provisioned: tuple[Kit, str], tmp_path: Path) -> None:
    kit, name = provisioned
    file = tmp_path / "credentials"
    file.write_text(issued(kit, name, "ini") + "\n" + issued(kit, name, "ini", "--profile-name", "mine"))
    for profile in (name, "mine"):
        session = profile_of(file, profile)
        found = session.get_credentials()
        assert found is not None
        assert found.access_key.startswith("ASIA")
        assert session.get_config_variable("region") == REGION


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--user", "alice", "--format", "jsn"), "unknown format 'jsn'; did you mean 'json'?"),
        (("--user", "alice", "--format", ""), "unknown format ''"),
        (("--user", "alice,bob", "--format", "env"), "--format env is for one user at a time"),
        (("--user", "alice", "--format", "env", "--profile-name", "x"), "--format env has no profile"),
        (("--user", "alice", "--format", "ini", "--profile-name", "a b"), "--profile-name 'a b' is not a name"),
    ],
)
@pytest.mark.parametrize("dry", [(), ("--dry",)])
def test_unsuitable_format_is_refused_before_the_issue(
    provisioned: tuple[Kit, str], flags: tuple[str, ...], message: str, dry: tuple[str, ...]
) -> None:
    kit, name = provisioned
    ledger = kit.work_directory / "ledger.jsonl"
    before = ledger.read_text() if ledger.exists() else ""
    result = kit(*dry, "issue-token", "--venue", name, *flags)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith(f"error: {message}")
    assert (ledger.read_text() if ledger.exists() else "") == before


@pytest.mark.parametrize("form", ["json", "ansible"])
def test_several_tokens_are_one_document_per_line(provisioned: tuple[Kit, str], form: str) -> None:
    kit, name = provisioned
    result = kit.done("issue-token", "--user", "alice,bob", "--venue", name, "--format", form)
    lines = [json.dumps(json.loads(line)) for line in result.out.splitlines()]
    assert [("/alice-" in line, "/bob-" in line) for line in lines] == [(True, False), (False, True)]
