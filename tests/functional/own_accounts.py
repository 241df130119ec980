"""A home folder with the credentials of two accounts, and their IAM users on the AWS emulator."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.functional.fork_server import run_forked
from tests.functional.kit import CHECKOUT, Result
from venue_access.aws.client import AwsClient, Credentials, Endpoint
from venue_access.sensitive import Secret

WORK, PERSONAL = "012123456789", "987654321012"
ROLE = "work-temporary-escalation"
_ANYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


@dataclass(frozen=True)
class Home:
    """The home folder of jbrowne, laid out for 42Lines' tools."""

    folder: Path
    endpoint: Endpoint

    @property
    def credentials(self) -> Path:
        return self.folder / "aws-creds"

    @property
    def sessions(self) -> list[Path]:
        return sorted((self.folder / ".cache" / "venue-access").glob("session-*.json"))

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "INVOKE_", "XDG_"))}
        own = {"HOME": str(self.folder), "USER": "jbrowne", "LOGNAME": "jbrowne", "AWS_EC2_METADATA_DISABLED": "true"}
        aws = {"AWS_ENDPOINT_URL": self.endpoint.url, "AWS_CA_BUNDLE": str(self.endpoint.ca_file)}
        return {**kept, **own, **aws}

    def __call__(self, *arguments: str, typed: str = "", environment: Mapping[str, str] | None = None) -> Result:
        """Run a command of the kit."""
        whole = {**self.environment, **(environment or {})}
        command = ("--search-root", str(CHECKOUT), *arguments)
        result = Result(*run_forked(command, typed=typed, folder=self.folder, environment=whole, timeout=60))
        assert "Traceback" not in result.err, result.err
        return result

    def keys(self, name: str) -> list[str]:
        """Return the long-term access key ID and secret of an account."""
        return [(self.credentials / f"{name}.{kind}_key").read_text().strip() for kind in ("access", "secret")]

    def remove_sessions(self) -> None:
        for session in self.sessions:
            session.unlink()


def make_home(folder: Path, endpoint: Endpoint) -> Home:
    """Create the home folder, and an IAM user and a role in each account."""
    home = Home(folder, endpoint)
    home.credentials.mkdir(mode=0o700)
    for name, account in (("work", WORK), ("personal", PERSONAL)):
        root = AwsClient(region="us-east-1", credentials=Credentials(account, Secret("test")), endpoint=endpoint)
        root.ensure("iam", "create_user", UserName="jbrowne")
        document = json.dumps(_ANYTHING)
        root.call("iam", "put_user_policy", UserName="jbrowne", PolicyName="own", PolicyDocument=document)
        trusting = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{account}:root"}, "Action": "sts:AssumeRole"}
        trust = json.dumps({"Version": "2012-10-17", "Statement": [trusting]})
        root.ensure("iam", "create_role", RoleName=ROLE, AssumeRolePolicyDocument=trust)
        made = root.call("iam", "create_access_key", UserName="jbrowne")["AccessKey"]
        for kind, value in (("access", made["AccessKeyId"]), ("secret", made["SecretAccessKey"])):
            file = home.credentials / f"{name}.{kind}_key"
            file.write_text(f"{value}\n", encoding="ascii")
            file.chmod(0o600)
    # fish takes the name of the user whose process it is, whatever USER says.
    (home.credentials / "personal.user").write_text("jbrowne\n", encoding="ascii")
    named = {"work": f"arn:aws:iam::{WORK}:", "personal": f"arn:aws:iam::{PERSONAL}:"}
    (home.credentials / "accounts.json").write_text(json.dumps(named), encoding="ascii")
    return home
