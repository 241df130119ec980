"""``invoke console-url``, with the credentials of one account in another."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.functional.kit import ACCOUNT, CHECKOUT, OTHER_ACCOUNT, REGION, Kit, Result, emulated
from tests.functional.sign_in_service import HTML, SIGNIN_TOKEN, SignInService, sign_in_service
from venue_access.aws.client import AwsClient, Credentials
from venue_access.emulator.server import aws_emulator
from venue_access.sensitive import Secret

KEYS = Credentials("ASIAEXAMPLEEXAMPLE00", Secret('se"cret/k&y%41'), Secret("session+token==&Action=logout"))
EXTERNAL_ID = "chosen-by-the-venue"


@pytest.fixture
def service(tmp_path: Path) -> Iterator[SignInService]:
    with sign_in_service(tmp_path) as running:
        yield running


@dataclass(frozen=True)
class Across:
    """A venue whose role trusts the root of another account with an external ID, and a user there."""

    kit: Kit
    keys: Credentials
    ca_file: Path

    def user(self) -> AwsClient:
        """Made anew each time: a connection that is left open keeps the AWS emulator from ending."""
        return self.kit.root(OTHER_ACCOUNT).with_credentials(self.keys)

    def environment(self, keys: Credentials | None = None) -> dict[str, str]:
        return {**(keys or self.keys).environment(), "AWS_CA_BUNDLE": str(self.ca_file), "AWS_REGION": REGION}

    def console(
        self, service: SignInService, *arguments: str, typed: str = "", to: str = "", **environment: str
    ) -> Result:
        """``console-url`` at the sign-in service; ``to`` is a shell's redirection."""
        run = subprocess.run(
            ["/bin/sh", "-c", f'exec "$0" "$@" {to}', sys.executable, "-m", "tests.functional.console_at", service.url]
            + ["--search-root", str(CHECKOUT)]
            + ["console-url", *arguments],
            input=typed,
            capture_output=True,
            text=True,
            cwd=CHECKOUT,
            env={**self.kit.environment, **self.environment(), "SSL_CERT_FILE": str(service.ca_file), **environment},
            timeout=60,
            check=False,
        )
        assert "Traceback" not in run.stderr, run.stderr
        return Result(run.returncode, run.stdout, run.stderr)

    def issued(self) -> list[dict[str, Any]]:
        lines = (self.kit.work_directory / "ledger.jsonl").read_text().splitlines()
        return [each for each in map(json.loads, lines) if each["venue"] == "across-dev"]


@pytest.fixture(scope="module")
def across(tmp_path_factory: pytest.TempPathFactory, work_directory: Path) -> Across:
    kit = Kit(tmp_path_factory.mktemp("across"), work_directory)
    endpoint = aws_emulator(work_directory).endpoint()
    venue = emulated("across-dev", trusted_principals=[f"arn:aws:iam::{OTHER_ACCOUNT}:root"])
    kit.write_inventory({"across-dev": {**venue, "emulator": False, "aws_endpoint_url": endpoint.url}})
    trust = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{OTHER_ACCOUNT}:root"},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"sts:ExternalId": EXTERNAL_ID}},
    }
    role = "unity-across-dev-sts"
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    kit.root(ACCOUNT).call("iam", "create_role", RoleName=role, AssumeRolePolicyDocument=document)
    root = kit.root(OTHER_ACCOUNT)
    root.call("iam", "create_user", UserName="jbrowne")
    may = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": f"arn:aws:iam::{ACCOUNT}:role/{role}"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [may]})
    root.call("iam", "put_user_policy", UserName="jbrowne", PolicyName="across", PolicyDocument=document)
    key = root.call("iam", "create_access_key", UserName="jbrowne")["AccessKey"]
    assert endpoint.ca_file is not None
    return Across(kit, Credentials(key["AccessKeyId"], Secret(key["SecretAccessKey"])), endpoint.ca_file)


def test_another_account_needs_the_external_id(across: Across) -> None:
    asked = ("issue-token", "--user", "alice", "--external-id", "-")
    token = across.kit(*asked, typed=EXTERNAL_ID, timeout=60, **across.environment())
    assert token.code == 0, token.err
    assert across.kit.session(token.document()).caller().account_id == ACCOUNT
    assert across.user().caller().account_id == OTHER_ACCOUNT
    refused = across.kit(*asked, typed="another-id", timeout=60, **across.environment())
    assert (refused.code, refused.out) == (5, "")


def test_another_account_signs_in(across: Across, service: SignInService) -> None:
    service.chained = False  # an IAM user's own keys: no chain
    made = across.console(service, "--service", "s3", "--external-id", "-", "--reason", "a look", typed=EXTERNAL_ID)
    assert made.code == 0, made.err
    (asked,) = service.asked
    assert 3500 < int(asked["SessionDuration"]) <= 3600
    found = parse_qs(urlsplit(made.out.strip()).query, strict_parsing=True)
    page = f"https://{REGION}.console.aws.amazon.com/s3/buckets/across-dev-data?region={REGION}"
    assert found == {"Action": ["login"], "Destination": [page], "SigninToken": [SIGNIN_TOKEN]}
    assert "the URL signs in anyone who opens it for 15 minutes, until " in made.err
    assert "; the session until " in made.err
    records = across.issued()[-2:]
    assert [(each["kind"], each["recipient"], each["delivery"]) for each in records] == [
        ("issue", "jbrowne", "console"),
        ("delivery", "jbrowne", "console"),
    ]
    assert records[0]["reason"] == "a look"
    session = json.loads(asked["Session"])
    assert records[0]["access_key_id"] == session["sessionId"]
    for secret in (session["sessionKey"], session["sessionToken"], EXTERNAL_ID):
        assert secret not in made.out + made.err + (across.kit.work_directory / "ledger.jsonl").read_text()


def test_chained_token_is_sent_without_a_duration(across: Across, service: SignInService) -> None:
    root = across.kit.root(OTHER_ACCOUNT)
    trust = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{OTHER_ACCOUNT}:root"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    root.call("iam", "create_role", RoleName="portal", AssumeRolePolicyDocument=document)
    may = json.dumps(
        {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}]}
    )
    root.call("iam", "put_role_policy", RoleName="portal", PolicyName="across", PolicyDocument=may)
    keys = root.assume_role(f"arn:aws:iam::{OTHER_ACCOUNT}:role/portal", "jbrowne@example.org").credentials
    made = across.console(
        service, "--service", "ecr", "--external-id", "-", typed=EXTERNAL_ID, **across.environment(keys)
    )
    assert made.code == 0, made.err
    assert set(service.asked[0]) == {"Action", "Session"}
    assert across.issued()[-1]["recipient"] == "jbrowne@example.org"


BROWSER = """\
#!{python}
import http.client, sys, urllib.parse, urllib.request
page = urllib.request.urlopen(sys.argv[1]).read().decode()
there = urllib.parse.urlsplit(page.split("url=", 1)[1].split(chr(34), 1)[0])
connection = http.client.HTTPConnection(there.netloc)
connection.request("GET", there.path)
open("{seen}", "w").write(connection.getresponse().headers["Location"])
"""


def test_open_flag_prints_no_url(across: Across, service: SignInService, tmp_path: Path) -> None:
    service.chained = False
    browser, seen = tmp_path / "browser", tmp_path / "seen"
    browser.write_text(BROWSER.format(python=sys.executable, seen=seen))
    browser.chmod(0o700)
    opened = across.console(service, "--open", "--external-id", "-", typed=EXTERNAL_ID, BROWSER=str(browser))
    assert (opened.code, opened.out) == (0, ""), opened.err
    assert "opened in the browser: the URL signs in anyone who opens it for 15 minutes" in opened.err
    assert "SigninToken" not in opened.err
    assert parse_qs(urlsplit(seen.read_text()).query)["SigninToken"] == [SIGNIN_TOKEN]


def test_unprintable_url_names_issued_token(across: Across, service: SignInService) -> None:
    service.chained = False
    lost = across.console(service, "--external-id", "-", typed=EXTERNAL_ID, to=">&-")
    name = across.issued()[-1]["role_session_name"]
    assert (lost.code, lost.out) == (6, "")
    assert f"the token {name} of across-dev was issued but not delivered: " in lost.err
    assert f"invoke revoke-token --venue across-dev --session {name}\n" in lost.err
    assert "SigninToken" not in lost.err


def test_refused_sign_in_prints_no_token(across: Across, service: SignInService) -> None:
    service.chained, service.status, service.content = False, 400, HTML
    refused = across.console(service, "--external-id", "-", typed=EXTERNAL_ID)
    assert (refused.code, refused.out) == (6, "")
    issued = across.issued()[-1]
    name = issued["role_session_name"]
    assert (
        f"error: the token {name} of across-dev was issued but not delivered: the sign-in service 127." in refused.err
    )
    assert f"invoke revoke-token --venue across-dev --session {name}\n" in refused.err
    assert issued["kind"] == "issue"


@pytest.mark.parametrize("way", ["token", "process", "environment"])
def test_given_credentials_sign_in_without_a_duration(across: Across, service: SignInService, way: str) -> None:
    asked = (
        "issue-token",
        "--user",
        "alice",
        "--external-id",
        "-",
        "--format",
        "process" if way == "process" else "json",
    )
    token = across.kit(*asked, typed=EXTERNAL_ID, timeout=60, **across.environment())
    held = token.document()
    held = held.get("Credentials", held)
    endpoint = {"AWS_ENDPOINT_URL": aws_emulator(across.kit.work_directory).endpoint().url}
    if way == "environment":
        keys = Credentials(held["AccessKeyId"], Secret(held["SecretAccessKey"]), Secret(held["SessionToken"]))
        made = across.console(service, "--from-env", **endpoint, **keys.environment())
        assert "the session lasts as long as the credentials" in made.err
    else:
        made = across.console(service, "--token", "-", typed=token.out, **endpoint)
        assert "the session until " in made.err
    assert made.code == 0, made.err
    assert set(service.asked[0]) == {"Action", "Session"}
    assert json.loads(service.asked[0]["Session"])["sessionId"] == held["AccessKeyId"]


def test_mfa_session_of_a_user_is_refused_before_sending(across: Across, service: SignInService) -> None:
    given = across.user().call("sts", "get_session_token")["Credentials"]
    keys = Credentials(given["AccessKeyId"], Secret(given["SecretAccessKey"]), Secret(given["SessionToken"]))
    endpoint = aws_emulator(across.kit.work_directory).endpoint().url
    refused = across.console(service, "--from-env", AWS_ENDPOINT_URL=endpoint, **keys.environment())
    assert (refused.code, refused.out, service.asked) == (2, "", [])
    assert ":user/jbrowne cannot sign in to the console" in refused.err


def test_expiring_credentials_are_refused_before_sending(across: Across, service: SignInService) -> None:
    soon = datetime.now(timezone.utc) + timedelta(minutes=14)
    keys = KEYS.environment() | {"AWS_CREDENTIAL_EXPIRATION": soon.isoformat(), "AWS_SECRET_ACCESS_KEY": "x"}
    refused = across.console(service, "--from-env", **keys)
    assert (refused.code, refused.out, service.asked) == (2, "", [])
    assert "and AWS gives no console session for less than 900 s" in refused.err


def test_emulator_console_is_refused(kit: Kit, venue: str) -> None:
    refused = kit("console-url", "--venue", venue)
    assert (refused.code, refused.out) == (2, "")
    assert refused.err.startswith(f"error: {venue} is at the AWS emulator, which has no console")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--from-env", "--token", "-"), "exclude each other"),
        (("--service", "s3", "--destination", "https://x"), "exclude each other"),
        (("--token", "hunter2"), "takes only -"),
        (("--token", "-"), "not a token in JSON"),
        (("--from-env",), "no access key ID in the environment"),
        (("--issuer", "$(id)"), "is not a URL"),
        (("--from-env", "--user", "x"), "are for a token to issue"),
    ],
)
def test_contradicting_flags_are_refused(kit: Kit, venue: str, arguments: tuple[str, ...], said: str) -> None:
    refused = kit("console-url", *arguments, typed="hunter2")
    assert (refused.code, refused.out) == (2, "")
    assert said in refused.err
    assert "hunter2" not in refused.err
