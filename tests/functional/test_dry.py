"""``--dry`` on every command: AWS, files and processes are the same afterwards."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

import tasks
from tests.functional.kit import Kit, Result, emulated
from tests.functional.own_accounts import Home, make_home
from tests.functional.processes import working_in
from venue_access.aws.client import AwsClient
from venue_access.emulator.server import aws_emulator

SETTINGS = ("INVOKE_INVENTORY", "INVOKE_WORKDIR")
AGE = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"
VENUE = "shared-dev"
AT = ("--venue", VENUE)
ACCOUNT = ("--name", "work")

COMMANDS: dict[str, tuple[tuple[str, ...], ...]] = {
    "account.unset": ((), ("--cache",), ("--cache", *ACCOUNT)),
    "account.list": ((),),
    "account.mfa": (ACCOUNT, (*ACCOUNT, "--code", "123456")),
    "account.whoami": ((),),
    "account.profile": ((*AT, "--user", "alice"),),
    "account.role-token": (("--account", "work", "--role", "unity-issuer"),),
    "account.use": (ACCOUNT,),
    "console-url": (AT,),
    "deprovision": (AT, (*AT, "--yes")),
    "doctor": (AT,),
    "drift": (AT,),
    "exec": ((*AT, "--user", "alice", "--", "touch", "new"),),
    "external-id.send": (
        (*AT, "--user", "alice", "--recipient", AGE),
        (*AT, "--user", "alice", "--recipient", AGE, "--out", "id"),
    ),
    "inventory.check": ((),),
    "inventory.graph": ((),),
    "inventory.host": ((VENUE,),),
    "inventory.init": (("--folder", "new"),),
    "inventory.list": ((),),
    "inventory.names": ((),),
    "inventory.provisioned": ((),),
    "inventory.schema": ((),),
    "issue-token": (
        (*AT, "--user", "alice"),
        (*AT, "--user", "alice,bob", "--out", "."),
        (*AT, "--user", "alice", "--encrypt", "--recipient", AGE),
        (*AT, "--user", "alice", "--external-id", "a-wrong-one"),
    ),
    "ledger.head": (AT,),
    "ledger.verify": (AT,),
    "local.down": ((),),
    "local.status": ((),),
    "local.up": ((),),
    "operator-policy": (AT,),
    "provision": (AT, (*AT, "--diff")),
    "revoke-token": (
        (*AT, "--all"),
        (*AT, "--user", "alice"),
        (*AT, "--session", "alice-20261120T221500Z-3f9c21ab"),
        (*AT, "--undo", "venue-access-revoked-all"),
        (*AT, "--list"),
    ),
    "rotate-external-id": (AT, (*AT, "--grace", "1h"), (*AT, "--finish"), (*AT, "--repair")),
    "state.rm": ((*AT, "--stack", VENUE),),
    "state.migrate": (AT,),
    "state.force-unlock": ((*AT, "--lock", "00000000-0000-0000-0000-000000000000"),),
    "status": (AT,),
    "tokens": (AT,),
    "verify": (AT,),
}
"""Each command with the flags that it is tried with; those of one that is refused make it say no more than that."""
REFUSED = {"console-url", "state.force-unlock"}
"""On the AWS emulator there is no console, and a state on this machine has no lock."""


def test_every_command_is_covered() -> None:
    assert set(COMMANDS) == set(tasks.namespace.task_names)


@pytest.fixture
def home(tmp_path: Path, provisioned: tuple[Kit, str]) -> Home:
    """A home with keys and sessions in the cache."""
    home = make_home(tmp_path, aws_emulator(provisioned[0].work_directory).endpoint())
    cache = home.folder / ".cache" / "venue-access"
    cache.mkdir(parents=True, mode=0o700)
    for name in ("session-0123", "process-0123"):
        (cache / f"{name}.json").write_text("{}")
        (cache / f"{name}.json").chmod(0o600)
    return home


def files(folder: Path, *, but: tuple[str, ...] = ()) -> dict[str, str]:
    """The files below a folder and what is in them; sockets, locks and what is named in ``but`` left out."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if not name.startswith(but) and path.is_file() and not path.is_symlink():
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def in_aws(root: AwsClient) -> list[Any]:
    """What an account has: IAM with its documents, parameters and their versions, buckets, repositories."""
    return [
        {**root.call("iam", "get_account_authorization_details"), "ResponseMetadata": None},
        root.call("ssm", "describe_parameters")["Parameters"],
        root.call("s3", "list_buckets")["Buckets"],
        root.call("ecr", "describe_repositories")["repositories"],
    ]


def run_each(kit: Kit, home: Home, *, apart: set[str]) -> dict[str, Result]:
    """Run every command: in one line, but for those that end it, which run by themselves."""
    kit.environment = {**home.environment, **{name: kit.environment[name] for name in SETTINGS}}
    for name in ("AWS_ENDPOINT_URL", "AWS_CA_BUNDLE"):
        del kit.environment[name]
    line = [word for name in COMMANDS if name not in apart for flags in COMMANDS[name] for word in (name, *flags)]
    results = {"": kit("--dry", *line)}
    results |= {" ".join([name, *flags]): kit(name, *flags, "--dry") for name in apart for flags in COMMANDS[name][:1]}
    assert results[""].code == 0, results[""].err
    for command, result in results.items():
        assert "Traceback" not in result.err, command
        assert "SecretAccessKey" not in result.out
        assert home.keys("work")[1] not in result.out
    return results


def test_dry_run_of_every_command_changes_nothing(home: Home, provisioned: tuple[Kit, str], tmp_path: Path) -> None:
    shared, _ = provisioned
    kit = Kit(tmp_path / "here", shared.work_directory)
    kit.folder.mkdir()
    kit.inventory = shared.inventory
    kit.environment["INVOKE_INVENTORY"] = str(shared.inventory)
    work, root = shared.work_directory, kit.root()
    kit.done("provision", *AT, "--check")  # the stack's folder is as a plan leaves it

    def everything() -> list[Any]:
        return [
            in_aws(root),
            files(work, but=("local-aws/", "locks/")),
            files(tmp_path),
            aws_emulator(work).is_running(),
        ]

    before, pid = everything(), (work / "local-aws" / "pid").read_text()
    results = run_each(kit, home, apart=REFUSED)
    assert everything() == before
    assert (work / "local-aws" / "pid").read_text() == pid
    assert {result.code for command, result in results.items() if command} == {2}


def test_dry_run_starts_no_emulator(home: Home, tmp_path: Path) -> None:
    kit = Kit(tmp_path / "here", tmp_path / "here" / "work")
    kit.folder.mkdir()
    kit.write_inventory({VENUE: emulated(VENUE)})
    before = files(tmp_path)
    asking = {"drift", "inventory.provisioned", "provision", "status", "doctor", "revoke-token"}
    results = run_each(kit, home, apart={*REFUSED, *asking})
    assert "the AWS emulator is down, and --dry does not start it" in results[f"status --venue {VENUE}"].err
    assert results[f"provision --venue {VENUE}"].code == 2
    assert files(tmp_path, but=("here/work/locks/", "here/work/stacks/")) == before
    assert not aws_emulator(kit.work_directory).is_running()
    assert working_in(kit.work_directory / "local-aws") == {}
