"""``venue-access-credentials`` and the profiles that run it, on the AWS emulator."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.functional.kit import ACCOUNT, CHECKOUT, REGION, Kit
from tests.functional.own_accounts import Home, make_home
from venue_access.aws.client import AwsClient, Credentials
from venue_access.emulator.server import aws_emulator
from venue_access.inventory.model import emulator_operator_arn
from venue_access.sensitive import Secret

CREDENTIALS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
PROGRAM = Path(sys.executable).parent / "venue-access-credentials"
NEEDS_FULL = pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has /dev/full")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, work_directory: Path) -> Home:
    return make_home(tmp_path_factory.mktemp("home"), aws_emulator(work_directory).endpoint())


def ask(home: Home, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PROGRAM, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=CHECKOUT,
        env={**home.environment, **environment},
    )


def cached_files(home: Home, text: str) -> list[Path]:
    """Return the files of the credential cache with this response."""
    return [each for each in home.folder.glob(".cache/venue-access/process-*") if each.read_text().startswith(text)]


@pytest.fixture
def venue(home: Home, provisioned: tuple[Kit, str]) -> dict[str, str]:
    """Return the environment that selects the inventory of a provisioned venue."""
    kit, _ = provisioned
    return {"INVOKE_INVENTORY": str(kit.inventory), "INVOKE_WORKDIR": str(kit.work_directory)}


def test_profile_gives_aws_tools_a_token(
    home: Home, provisioned: tuple[Kit, str], venue: dict[str, str], tmp_path: Path
) -> None:
    config = tmp_path / "config"
    config.write_text("# mine\n[default]\nregion=eu-west-1 \n")
    environment = {**venue, "AWS_CONFIG_FILE": str(config)}
    written = home("account.profile", "--profile-name", "issuer", "--user", "alice", environment=environment)
    assert written.out == "issuer\n", written.err
    once = config.read_text()
    assert once.startswith("# mine\n[default]\nregion=eu-west-1 \n\n[profile issuer]\ncredential_process = ")
    home("account.profile", "--profile-name", "issuer", "--user", "alice", environment=environment)
    assert config.read_text() == once
    config.write_text("[profile issuer]\nregion = eu-west-1\n")
    refused = home("account.profile", "--profile-name", "issuer", "--user", "alice", environment=environment)
    assert (refused.code, config.read_text()) == (2, "[profile issuer]\nregion = eu-west-1\n")
    config.write_text(once)

    elsewhere = {name: each for name, each in home.environment.items() if not name.startswith("AWS_")}
    for selected in (["--profile", "issuer"], []):  # the profile has the endpoint and the CA file too
        who = subprocess.run(
            [PROGRAM.with_name("aws"), *selected, "sts", "get-caller-identity"],
            capture_output=True,
            text=True,
            check=False,
            env={**elsewhere, **environment, **({} if selected else {"AWS_PROFILE": "issuer"})},
        )
        assert ":assumed-role/" in who.stdout, who.stderr
        assert "/alice-" in who.stdout


def test_response_is_cached_until_five_minutes_before_expiration(home: Home, venue: dict[str, str]) -> None:
    arguments = ("--venue", "shared-dev", "--user", "bob")
    first, second = ask(home, *arguments, **venue), ask(home, *arguments, **venue)
    assert first.returncode == 0, first.stderr
    assert first.stdout == second.stdout
    assert second.stderr == ""
    (kept,) = cached_files(home, first.stdout)
    assert kept.stat().st_mode & 0o777 == 0o600
    document = json.loads(first.stdout)
    soon = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 290))
    kept.write_text(json.dumps({**document, "Expiration": soon}) + "\n")
    renewed = ask(home, *arguments, **venue)
    assert json.loads(renewed.stdout)["AccessKeyId"] != document["AccessKeyId"]
    kept.chmod(0o644)
    assert json.loads(ask(home, *arguments, **venue).stdout)["AccessKeyId"] != json.loads(renewed.stdout)["AccessKeyId"]
    assert kept.stat().st_mode & 0o777 == 0o600


def test_revoked_tokens_are_removed_from_the_cache(home: Home, venue: dict[str, str]) -> None:
    texts = {user: ask(home, "--venue", "shared-dev", "--user", user, **venue).stdout for user in ("dave", "dave-b")}
    (kept,) = cached_files(home, texts["dave"])
    session = json.loads(kept.read_text().splitlines()[1])["arn"].rpartition("/")[2]
    assert session.startswith("dave-20")
    revoked = home("revoke-token", "--session", session, environment=venue)
    assert revoked.code == 0, revoked.err
    assert "removed 1 cached token of venue-access-credentials" in revoked.err
    assert (cached_files(home, texts["dave"]), len(cached_files(home, texts["dave-b"]))) == ([], 1)
    again = ask(home, "--venue", "shared-dev", "--user", "dave", **venue)
    assert json.loads(again.stdout)["AccessKeyId"] != json.loads(texts["dave"])["AccessKeyId"]
    cleared = home("account.unset", "--cache")
    assert "of venue-access-credentials" in cleared.err
    assert [each.name for each in (home.folder / ".cache/venue-access").iterdir()] == ["process.lock"]


def test_source_profile_overrides_exported_credentials(home: Home, venue: dict[str, str], tmp_path: Path) -> None:
    """The exported credentials are another account's; the venue is one on real AWS, as far as the kit knows."""
    endpoint = home.endpoint
    inventory = tmp_path / "hosts.yml"
    found = {
        "project": "shared",
        "account_id": ACCOUNT,
        "region": REGION,
        "aws_endpoint_url": endpoint.url,
        "aws_profile": "not-there",
        "s3_buckets": ["shared-dev-data"],
        "trusted_principals": [emulator_operator_arn(ACCOUNT)],
    }
    inventory.write_text(json.dumps({"all": {"hosts": {"shared-dev": found}}}))
    root = AwsClient(region=REGION, credentials=Credentials(ACCOUNT, Secret("test")), endpoint=endpoint)
    operator = root.assume_role(emulator_operator_arn(ACCOUNT), "operator").credentials.environment()
    settings = "".join(f"{name.lower()} = {value}\n" for name, value in operator.items() if name in CREDENTIALS)
    config = tmp_path / "config"
    config.touch(mode=0o600)
    config.write_text(f"[profile own]\n{settings}")
    access_key, secret_key = home.keys("personal")
    environment = {
        **venue,
        "INVOKE_INVENTORY": str(inventory),
        "AWS_CONFIG_FILE": str(config),
        "AWS_ACCESS_KEY_ID": access_key,
        "AWS_SECRET_ACCESS_KEY": secret_key,
    }
    issued = ask(home, "--venue", "shared-dev", "--user", "alice", "--source-profile", "own", **environment)
    assert issued.returncode == 0, issued.stderr
    assert json.loads(issued.stdout)["Version"] == 1


def test_concurrent_requests_issue_one_token(home: Home, venue: dict[str, str]) -> None:
    arguments = ("--venue", "shared-dev", "--user", "carol")
    with ThreadPoolExecutor(3) as pool:
        responses = {each.stdout for each in pool.map(lambda _: ask(home, *arguments, **venue), range(3))}
    assert len(responses) == 1
    assert json.loads(responses.pop())["Version"] == 1


@pytest.mark.parametrize("arguments", [(), ("--venue", "nowhere"), ("--account", "work"), ("--venue", "a", "--x")])
def test_invalid_request_is_one_message(home: Home, venue: dict[str, str], arguments: tuple[str, ...]) -> None:
    done = ask(home, *arguments, **venue)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr


def test_cached_response_imports_nothing_else(home: Home, venue: dict[str, str]) -> None:
    arguments = ("--venue", "shared-dev", "--user", "alice")
    assert ask(home, *arguments, **venue).returncode == 0
    listed = subprocess.run(
        [sys.executable, "-X", "importtime", PROGRAM, *arguments],
        capture_output=True,
        text=True,
        check=True,
        cwd=CHECKOUT,
        env={**home.environment, **venue},
    )
    imported = {line.rpartition("|")[2].strip() for line in listed.stderr.splitlines()}
    assert not imported & {"boto3", "botocore", "invoke", "json", "argparse", "venue_access.errors"}


@pytest.mark.parametrize("redirection", [">&-", pytest.param(">/dev/full", marks=NEEDS_FULL)])
def test_unwritable_standard_output_is_exit_6(redirection: str, home: Home, venue: dict[str, str]) -> None:
    token = (str(PROGRAM), "--venue", "shared-dev", "--user", "dave")
    keys = (sys.executable, "-m", "invoke", "--search-root", str(CHECKOUT), "account.use", "--name", "work")
    for command in (token, token, keys, (str(PROGRAM), "--help")):  # issued, from the cache
        done = subprocess.run(
            ["/bin/sh", "-c", f'exec "$0" "$@" {redirection}', *command],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            cwd=CHECKOUT,
            env={**home.environment, **venue},
        )
        assert (done.returncode, done.stdout) == (6, "")
        assert "the result cannot be written to standard output: " in done.stderr
        assert "Traceback" not in done.stderr
        assert "Exception" not in done.stderr
