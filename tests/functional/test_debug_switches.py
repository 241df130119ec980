"""Under every debug switch of Invoke, boto3, Terraform and Python nothing shows a credential or an external ID."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.functional.issuing import stored_id
from tests.functional.kit import CHECKOUT, Kit, Result
from tests.functional.test_canaries import files_below, found

PROGRAMS = Path(sys.executable).parent
KIT = (sys.executable, "-m", "invoke", "--search-root", str(CHECKOUT))
OURS = (str(PROGRAMS / "invoke"), "--search-root", str(CHECKOUT))

LOUD = """\
import logging, sys
logging.basicConfig(level=logging.DEBUG)
for name in ("botocore", "botocore.parsers", "boto3", "urllib3.connectionpool", "python_terraform", "asyncio"):
    logging.getLogger(name).setLevel(logging.DEBUG)
    logging.getLogger(name).addHandler(logging.StreamHandler(sys.stderr))
"""
"""A sitecustomize.py of somebody who wants to see everything."""

TERRAFORM = ("TF_LOG", "TF_LOG_CORE", "TF_LOG_PROVIDER", "TF_LOG_PROVIDER_AWS", "TF_LOG_SDK", "TF_LOG_SDK_PROTO")
PYTHON = ("PYTHONDEVMODE", "PYTHONVERBOSE", "PYTHONFAULTHANDLER", "PYTHONTRACEMALLOC", "PYTHONASYNCIODEBUG")


@pytest.fixture
def loud(provisioned: tuple[Kit, str], tmp_path: Path) -> Kit:
    """The provisioned venue, with every switch on that is an environment variable."""
    kit = Kit(tmp_path, provisioned[0].work_directory)
    kit.write_inventory(json.loads(provisioned[0].inventory.read_text())["all"]["hosts"])
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(LOUD)
    kit.environment |= {
        **dict.fromkeys(TERRAFORM, "TRACE"),
        **dict.fromkeys(PYTHON, "1"),
        **{f"{name}_PATH": str(tmp_path / f"{name}.log") for name in TERRAFORM},
        "TF_LOG_PATH": str(tmp_path / "terraform.log"),
        "GODEBUG": "http2debug=2,netdns=2",
        "INVOKE_DEBUG": "0",
        "BOTO_DEBUG": "1",
        "AWS_DEBUG": "1",
        "SSLKEYLOGFILE": str(tmp_path / "keys.log"),
        "PYTHONPATH": f"{tmp_path / 'site'}{os.pathsep}{CHECKOUT}",
        "PYTHONDONTWRITEBYTECODE": "1",
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "USER": "alice",
    }
    return kit


def run(kit: Kit, command: Sequence[str], typed: str = "") -> Result:
    done = subprocess.run(
        command, input=typed, cwd=kit.folder, env=kit.environment, capture_output=True, text=True, timeout=120
    )
    return Result(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize("all_commands", [False, pytest.param(True, marks=pytest.mark.soak)])
def test_debug_switches_show_no_credential_or_external_id(
    loud: Kit, provisioned: tuple[Kit, str], all_commands: bool
) -> None:
    """All switches at once, with one command of each kind; in the soak with each way to give an external ID."""
    _, venue = provisioned
    external_id = stored_id(loud, venue)
    at = ("--venue", venue)
    issue = ("issue-token", "--user", "alice", *at)
    process = (str(PROGRAMS / "venue-access-credentials"), *at, "--user", "alice")
    reason = ("--reason", f"her ID is {external_id}")
    printed = [
        run(loud, [*OURS, "--debug", *issue, "--external-id", external_id, *reason]),
        run(loud, [sys.executable, "-X", "dev", "-v", *process]),
    ]
    checks = [run(loud, [*KIT, *issue, "--external-id", "wrong-external-id"])]
    if all_commands:
        printed += [
            run(loud, [*KIT, "--debug", *issue]),
            run(loud, [*OURS, *issue, "--external-id", "-", "--debug"], external_id),
            run(loud, [*OURS, "--debug", *issue, f"--external-id={external_id}"]),
            run(loud, [*OURS, "--debug", *issue, *reason]),
        ]
    planned = ("provision", *at, "verify", *at, "status", *at) if all_commands else ("provision", "--check", *at)
    checks.append(run(loud, [*KIT, "--debug", *planned]))
    assert [each.code for each in printed] == [0] * len(printed), printed[-1].err[-2000:]
    assert [each.code for each in checks] == [5, 0], checks[1].err[-2000:]
    assert "invoke" in printed[0].err  # Invoke's own debug log is there

    tokens: list[dict[str, Any]] = [json.loads(each.out[each.out.index("{") :]) for each in printed]
    credentials = [token.get("Credentials", token) for token in tokens]
    canaries = {keys[name] for keys in credentials for name in ("SecretAccessKey", "SessionToken")}
    assert len(canaries) == 2 * len(printed)
    canaries |= {external_id, "her ID is"}
    said = [each.err.encode() for each in (*printed, *checks)] + [each.out.encode() for each in checks]
    assert found(canaries, *said) == set()
    assert not re.findall(rb"SecretAccessKey|SessionToken|X-Amz-Security-Token|TF_LOG", b"".join(said), re.IGNORECASE)
    for path in files_below(loud.folder):
        if "cache" not in path.relative_to(loud.folder).parts:  # of credential_process, which was asked for
            assert found(canaries, path.read_bytes()) == set(), path
    left = {path.name for path in files_below(loud.folder)}
    assert not {name for name in left if name.endswith(".log")}


def test_commands_and_children_write_no_core_dump(loud: Kit, provisioned: tuple[Kit, str]) -> None:
    asking = [*KIT, "issue-token", "--user", "alice", "--venue", provisioned[1], "--external-id", "-"]
    with subprocess.Popen(asking, stdin=subprocess.PIPE, cwd=loud.folder, env=provisioned[0].environment) as process:
        assert process.stdin is not None
        limits = Path(f"/proc/{process.pid}/limits")
        deadline = time.monotonic() + 20
        while (shut := "Max core file size        0                    0 " in limits.read_text()) is False:
            if time.monotonic() > deadline:
                break
            time.sleep(0.02)
        process.stdin.close()
    assert shut
    script = "import resource; from venue_access.accounts.credentials import main; main();"
    script += "print(resource.getrlimit(resource.RLIMIT_CORE))"
    done = run(loud, [sys.executable, "-c", script])
    assert done.out == "(0, 0)\n"
