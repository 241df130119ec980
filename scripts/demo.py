"""The main job on the AWS emulator, as a person would type it: provision, issue, use, refuse, rotate.

It works in the checkout's .venue-access, as the commands do by default, so that what it made can be looked at
afterwards; it stops the AWS emulator unless that was up before.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(CHECKOUT))  # the package is not installed

from venue_access.emulator.server import AwsEmulator, aws_emulator

VENUE, ACCOUNT, REGION = "unity-dev", "111122223333", "us-west-2"
PARAMETER = "/unity/unity/dev/cs/sts/role/external-id"
_SECRETS = re.compile(r'("(?:SecretAccessKey|SessionToken)": )"[^"]*"')


class Demo:
    """Shows commands and runs them, in a folder for the files that a person would have lying about."""

    def __init__(self, folder: Path, local: AwsEmulator) -> None:
        self._folder = folder
        self._local = local
        # Nothing of the person's own AWS or settings: the demo is the same for everybody.
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "INVOKE_"))}
        self._environment = {**kept, "PATH": f"{CHECKOUT / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}"}

    def say(self, text: str) -> None:
        print(f"\n# {text}", flush=True)

    def run(self, command: str, *, refused: bool = False, keys: dict[str, str] | None = None) -> None:
        """Show a command and its output; it must succeed, or be refused."""
        print(f"$ {command}", flush=True)
        code = subprocess.run(["/bin/sh", "-c", command], cwd=self._folder, env=self._variables(keys)).returncode
        if (code != 0) is not refused:
            raise SystemExit(f"demo: exit {code} of: {command}")

    def issue(self) -> dict[str, str]:
        """Issue a token into a file, show it redacted, and return the variables that a recipient exports."""
        self.run(f"umask 077; invoke issue-token --user alice --venue {VENUE} > token.json")
        text = (self._folder / "token.json").read_text(encoding="utf-8")
        print(_SECRETS.sub(r'\1"****"', text), end="", flush=True)
        given = json.loads(text)["Credentials"]
        return {
            "AWS_ACCESS_KEY_ID": given["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": given["SecretAccessKey"],
            "AWS_SESSION_TOKEN": given["SessionToken"],
        }

    def keep_external_id(self) -> None:
        """Put the venue's external ID into a file, as a requester has it, without showing it."""
        command = ["aws", "ssm", "get-parameter", "--name", PARAMETER, "--with-decryption", "--output", "json"]
        root = {"AWS_ACCESS_KEY_ID": ACCOUNT, "AWS_SECRET_ACCESS_KEY": "test"}
        read = subprocess.run(command, env=self._variables(root), capture_output=True, check=True, text=True)
        descriptor = os.open(self._folder / "external-id", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(json.loads(read.stdout)["Parameter"]["Value"])

    def _variables(self, keys: dict[str, str] | None) -> dict[str, str]:
        if keys is None:
            return self._environment
        endpoint = self._local.endpoint()
        where = {"AWS_ENDPOINT_URL": endpoint.url, "AWS_CA_BUNDLE": str(endpoint.ca_file), "AWS_DEFAULT_REGION": REGION}
        return {**self._environment, **where, **keys}


def show(demo: Demo) -> None:
    demo.say("A venue: the role with its guard, policies for its bucket and containers, the SSM parameter")
    demo.run(f"invoke provision --venue {VENUE}")

    demo.say("A token for Alice, who has no AWS account")
    alice = demo.issue()

    demo.say("With it in her environment (AWS_ACCESS_KEY_ID and so on) Alice can use the venue")
    demo.run(f"echo 'hello from Alice' | aws s3 cp - s3://{VENUE}-data/hello.txt", keys=alice)
    demo.run(f"aws s3 cp s3://{VENUE}-data/hello.txt -", keys=alice)
    name = f"{VENUE}/demo-{int(time.time())}"
    create = "aws ecr create-repository --query repository.repositoryUri --output text --repository-name"
    demo.run(f"{create} {name}", keys=alice)

    demo.say("and nothing else")
    demo.run("aws s3 ls s3://sounder-dev-data", keys=alice, refused=True)
    demo.run(f"echo some-other-id | invoke issue-token --user bob --venue {VENUE} --external-id -", refused=True)

    demo.say("A new external ID, with never a moment at which issuing fails; who holds the old one is refused")
    demo.keep_external_id()
    demo.run(f"invoke rotate-external-id --venue {VENUE}")
    demo.run(f"invoke issue-token --user bob --venue {VENUE} --external-id - < external-id", refused=True)
    demo.run("invoke status")


def main() -> int:
    work_directory = CHECKOUT / ".venue-access"
    local = aws_emulator(work_directory)
    was_up = local.is_running()
    try:
        # Below the checkout, where Invoke finds tasks.py upwards.
        with tempfile.TemporaryDirectory(prefix="demo-", dir=work_directory) as folder:
            show(Demo(Path(folder), local))
    except KeyboardInterrupt:
        return 130
    finally:
        if not was_up and local.down():
            print("\nStopped the AWS emulator; its state is kept, and the next command starts it again.")
    print(
        "\nNext, in this folder:\n"
        "  . .venv/bin/activate\n"
        "  invoke provision --limit all --check     # three venues, in two accounts\n"
        "  invoke issue-token --user alice --venue unity-dev\n"
        "  invoke --list                            # every command\n"
        "  docs/getting-started.md                  # your own venues, on AWS"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
