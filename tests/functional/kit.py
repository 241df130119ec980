"""The commands, run as a person runs them: in a process of their own, on an AWS emulator of the tests'."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

from tests.functional.fork_server import can_fork, run_forked
from venue_access.aws.client import AwsClient, Credentials, Endpoint
from venue_access.emulator.server import aws_emulator
from venue_access.sensitive import Secret

CHECKOUT = Path(__file__).resolve().parents[2]
ACCOUNT, OTHER_ACCOUNT, REGION = "111122223333", "444455556666", "us-west-2"

_numbers = count(1)


@dataclass(frozen=True)
class Result:
    """What a command came to."""

    code: int
    out: str
    err: str

    def document(self) -> Any:
        """The one JSON document on standard output."""
        return json.loads(self.out)


def new_venue() -> str:
    """The name of a venue that no other test of this process has."""
    return f"proj{next(_numbers)}-dev"


def emulated(name: str, **variables: Any) -> dict[str, Any]:
    """A venue's variables: one on the AWS emulator, with a bucket of its own."""
    return {
        "project": name.split("-", 1)[0],
        "account_id": ACCOUNT,
        "region": REGION,
        "emulator": True,
        "s3_buckets": [f"{name}-data"],
        **variables,
    }


class Kit:
    """``invoke`` with an inventory and a work directory; several may share a work directory."""

    def __init__(self, folder: Path, work_directory: Path) -> None:
        self.folder = folder
        self.work_directory = work_directory
        self.inventory = folder / "hosts.yml"
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "INVOKE_"))},
            "INVOKE_WORKDIR": str(work_directory),
            "INVOKE_INVENTORY": str(self.inventory),
            "AWS_CONFIG_FILE": str(folder / "no-aws-config"),
            "AWS_SHARED_CREDENTIALS_FILE": str(folder / "no-aws-credentials"),
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def write_inventory(self, hosts: dict[str, dict[str, Any]]) -> None:
        """JSON is YAML."""
        self.inventory.write_text(json.dumps({"all": {"hosts": hosts}}), encoding="utf-8")

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """Start a command, in a process group of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "invoke", "--search-root", str(CHECKOUT), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.folder,
            env={**self.environment, **environment},
            start_new_session=True,
        )

    def __call__(self, *arguments: str, typed: str = "", timeout: float = 300, **environment: str) -> Result:
        """Run a command to its end; ``typed`` is its standard input."""
        whole = {**self.environment, **environment}
        if can_fork(whole):
            command = ("--search-root", str(CHECKOUT), *arguments)
            return Result(*run_forked(command, typed=typed, folder=self.folder, environment=whole, timeout=timeout))
        with self.start(*arguments, **environment) as process:
            try:
                out, err = process.communicate(typed, timeout=timeout)
            except BaseException:
                process.kill()
                raise
        return Result(process.returncode, out, err)

    def done(self, *arguments: str, **environment: str) -> Result:
        """Run a command that is to succeed."""
        result = self(*arguments, typed="", timeout=300, **environment)
        assert result.code == 0, f"{arguments}: exit {result.code}\n{result.out}\n{result.err}"
        return result

    def root(self, account: str = ACCOUNT, region: str = REGION) -> AwsClient:
        """The root of an account on the AWS emulator, to look at what the kit did and to meddle with it."""
        return _root(account, region, aws_emulator(self.work_directory).endpoint())

    def session(self, token: dict[str, Any], region: str = REGION) -> AwsClient:
        """What a recipient does with a token: the JSON document of ``issue-token``."""
        given = token["Credentials"]
        keys = Credentials(given["AccessKeyId"], Secret(given["SecretAccessKey"]), Secret(given["SessionToken"]))
        return AwsClient(region=region, credentials=keys, endpoint=aws_emulator(self.work_directory).endpoint())


def hang_up() -> None:
    """Close what ``root`` keeps open: the AWS emulator waits half a minute for a client before it ends."""
    _root.cache_clear()
    gc.collect()


@cache  # making boto3's clients takes thirty times what a call takes
def _root(account: str, region: str, endpoint: Endpoint) -> AwsClient:
    return AwsClient(region=region, credentials=Credentials(account, Secret("test")), endpoint=endpoint)
