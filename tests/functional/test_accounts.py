"""The operator's own accounts on the AWS emulator: where keys come from, MFA, the cache, role tokens."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.functional.kit import ACCOUNT, CHECKOUT, REGION, Kit
from tests.functional.own_accounts import PERSONAL, ROLE, WORK, Home, make_home
from venue_access.aws.client import AwsClient, Credentials
from venue_access.emulator.server import aws_emulator
from venue_access.inventory.model import emulator_operator_arn
from venue_access.sensitive import Secret

CREDENTIALS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
PROGRAM = Path(sys.executable).parent / "venue-access-credentials"
NEEDS_FULL = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, work_directory: Path) -> Home:
    return make_home(tmp_path_factory.mktemp("home"), aws_emulator(work_directory).endpoint())


@pytest.fixture
def home(made: Home) -> Home:
    """Without a session in the cache."""
    made.forget()
    return made


def loaded(statements: str) -> dict[str, str]:
    """What ``--format env`` sets."""
    pairs = [line.removeprefix("export ").split("=", 1) for line in statements.splitlines() if "=" in line]
    return {name: value.strip("';") for name, value in pairs}


# -- where keys come from --------------------------------------------------------------------------------------------


def test_profiles_are_accounts_too_and_a_role_is_assumed_with_what_the_profile_says(home: Home, tmp_path: Path) -> None:
    access_key, secret_key = home.keys("work")
    config, credentials = tmp_path / "config", tmp_path / "credentials"
    config.write_text(
        "[default]\nregion = eu-west-1\n[profile sso]\nsso_start_url = https://example.org\n[profile issuer]\n"
        f"role_arn = arn:aws:iam::{WORK}:role/{ROLE}\nsource_profile = keys\nregion = us-west-2\n"
        f"mfa_serial = arn:aws:iam::{WORK}:mfa/jbrowne\nmfa_process = printf 123456\nexternal_id = issuer-external-id\n"
        "[profile circle]\nrole_arn = arn:aws:iam::111122223333:role/x\nsource_profile = circle2\n"
        "[profile circle2]\nrole_arn = arn:aws:iam::111122223333:role/x\nsource_profile = circle\n"
    )
    credentials.write_text(f"[keys]\naws_access_key_id = {access_key}\naws_secret_access_key = {secret_key}\n")
    files = {"AWS_CONFIG_FILE": str(config), "AWS_SHARED_CREDENTIALS_FILE": str(credentials)}
    listed = home("account.list", "--json", environment=files).document()["accounts"]
    assert listed == {
        "work": {"source": "folder", "account_id": WORK},
        "personal": {"source": "folder", "account_id": PERSONAL},
        "issuer": {"source": "profile", "account_id": WORK},
        "keys": {"source": "profile", "account_id": None},
    }
    refused = home("account.use", "--name", "issuer", environment=files)
    assert (refused.code, refused.out) == (2, "")
    assert f"others can read {credentials}\n  make it yours alone: chmod 600 {credentials}" in refused.err
    credentials.chmod(0o600)
    escalated = home("account.mfa", "--name", "issuer", environment=files)
    assert escalated.err.endswith("Set keys for issuer-MFA-STS AWS account\n")
    variables = loaded(escalated.out)
    assert variables["AWS_REGION"] == variables["AWS_DEFAULT_REGION"] == "us-west-2"
    who = home("account.whoami", environment=variables)
    assert who.out == "Keys set for issuer-MFA-STS AWS account\nRegion is us-west-2\n"
    token = home("account.role-token", "--account", "issuer", "--format", "json", environment=files).document()
    assert token["AssumedRoleUser"]["Arn"].startswith(f"arn:aws:sts::{WORK}:assumed-role/{ROLE}/jbrowne-")


def test_a_keyring_holds_accounts_of_the_account_file(home: Home, tmp_path: Path) -> None:
    access_key, secret_key = home.keys("work")
    environment = {
        "PYTHON_KEYRING_BACKEND": "keyrings.alt.file.PlaintextKeyring",
        "XDG_DATA_HOME": str(tmp_path),
        "KEYRING_PROPERTY_FILE_PATH": str(tmp_path / "keyring"),
    }
    for kind, key in (("access", access_key), ("secret", secret_key)):
        subprocess.run(
            [sys.executable, "-m", "keyring", "set", "venue-access", f"vault.{kind}_key"],
            input=key,
            text=True,
            check=True,
            env={**home.environment, **environment},
        )
    accounts = tmp_path / "accounts.json"
    accounts.write_text(json.dumps({"vault": f"arn:aws:iam::{WORK}:", "nothing": f"arn:aws:iam::{WORK}:"}))
    flags = ("--config", str(accounts))
    listed = home("account.list", "--json", *flags, environment=environment).document()["accounts"]
    assert listed["vault"] == {"source": "keyring", "account_id": WORK}
    assert "nothing" not in listed
    used = home("account.use", "--name", "vault", *flags, environment=environment)
    assert loaded(used.out)["AWS_ACCESS_KEY_ID"] == access_key
    without = home("account.list", *flags, environment={"PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"})
    assert without.out == "Possible accounts: personal work\n"


def test_a_folder_or_key_that_others_can_read_is_refused_with_what_mends_it(home: Home) -> None:
    for path, mode, own in ((home.credentials, 0o750, 0o700), (home.credentials / "work.secret_key", 0o640, 0o600)):
        path.chmod(mode)
        refused = home("account.use", "--name", "work")
        path.chmod(own)
        assert (refused.code, refused.out) == (2, "")
        assert refused.err == f"error: others can read {path}\n  make it yours alone: chmod {own:o} {path}\n"


def test_names_that_are_no_accounts_are_refused_and_touch_nothing(home: Home) -> None:
    (home.folder / "outside.access_key").write_text("AKIAOUTSIDE0000000")
    for name in ("../outside", "$(touch owned)", "-x"):
        refused = home("account.use", f"--name={name}")
        assert (refused.code, refused.out) == (2, ""), name
    assert not (home.folder / "owned").exists()


# -- MFA and its cache -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", ["12345", "1234567", "12345a", "\uff11\uff12\uff13\uff14\uff15\uff16", ""])
def test_a_code_that_is_none_is_refused_and_not_shown(home: Home, code: str) -> None:
    refused = home("account.mfa", "--name", "work", "--code", "-", typed=f"{code}\n")
    assert (refused.code, refused.out) == (2, "")
    assert not code or code not in refused.err
    assert home.sessions == []


def test_one_entry_of_a_code_serves_every_role_and_two_accounts_share_nothing(home: Home) -> None:
    escalated = home("account.mfa", "--name", "work", "--code", "123456")
    assert escalated.code == 0, escalated.err
    (session,) = home.sessions
    assert (session.stat().st_mode & 0o777, session.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    kept = json.loads(session.read_text())
    assert loaded(escalated.out)["AWS_SESSION_TOKEN"] == kept["SessionToken"]
    assert loaded(home("account.use", "--name", "work").out)["AWS_SECURITY_TOKEN"] == kept["SessionToken"]
    for _ in range(2):
        token = home("account.role-token", "--account", "work", "--role", ROLE).document()
        assert set(token) == {"access_key", "secret_key", "session_token", "expiration"}
    assert home("account.use", "--name", "personal").err.startswith("Cache not present for account personal\n")
    assert home("account.mfa", "--name", "personal", "--user", "somebody", "--code", "123456").code == 0
    assert len(home.sessions) == 2
    cleared = home("account.unset", "--cache", "--name", "work")
    assert cleared.err == "forgot 1 session\n"
    assert home("account.use", "--name", "work").err.startswith("Cache not present for account work\n")


def test_a_session_about_to_end_or_cut_off_is_none_whatever_the_time_zone(home: Home) -> None:
    home("account.mfa", "--name", "work", "--code", "123456")
    (session,) = home.sessions
    document = json.loads(session.read_text())
    for left, told in ((240, "Cache invalid or not present"), (360, "Cache is valid")):
        ends = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + left))
        session.write_text(json.dumps({**document, "Expiration": ends}))
        for zone in ("Asia/Tokyo", "America/Los_Angeles"):
            assert home("account.use", "--name", "work", environment={"TZ": zone}).err.startswith(told)
    session.write_text(session.read_text()[:100])
    assert home("account.use", "--name", "work").err.startswith("Cache invalid or not present")
    assert home("account.mfa", "--name", "work", "--code", "123456").code == 0


def test_the_cache_survives_two_at_once_and_a_kill(home: Home) -> None:
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda _: home("account.mfa", "--name", "work", "--code", "123456"), range(2)))
    assert [each.code for each in both] == [0, 0]
    (session,) = home.sessions
    whole = session.read_text()
    killing = (
        "import os, signal\nfrom venue_access import files\nfrom venue_access.accounts import cache\n"
        "os.replace = lambda *a: os.kill(os.getpid(), signal.SIGKILL)\n"
        "files.write_private(__import__('pathlib').Path(os.sys.argv[1]), 'half')\n"
    )
    killed = subprocess.run([sys.executable, "-c", killing, str(session)], cwd=CHECKOUT, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert session.read_text() == whole
    assert home("account.use", "--name", "work").err.startswith("Cache is valid")


def test_no_key_or_code_is_told_to_anybody(home: Home) -> None:
    _, secret_key = home.keys("work")
    results = [
        home("account.mfa", "--name", "work", "--code", "-", typed="281823\n"),
        home("account.use", "--name", "work"),
        home("account.role-token", "--account", "work", "--role", "not-there"),
        home("account.list", "--json"),
        home("account.whoami", environment={"AWS_ACCESS_KEY_ID": "AKIA0000", "AWS_SECRET_ACCESS_KEY": secret_key}),
    ]
    kept = json.loads(home.sessions[0].read_text())
    hidden = [secret_key, "281823", kept["SecretAccessKey"], kept["SessionToken"]]
    assert not [secret for secret in hidden for each in results if secret in each.err]
    assert results[2].code == 5


def test_a_session_begins_no_other_and_a_token_goes_with_the_keys_in_the_environment(home: Home) -> None:
    variables = loaded(home("account.mfa", "--name", "work", "--code", "123456").out)
    arguments = ("account.role-token", "--account", "work", "--role", ROLE, "--token", "-")
    taken = home(*arguments, typed=variables["AWS_SESSION_TOKEN"], environment=variables)
    assert taken.code == 0, taken.err
    refused = home(*arguments, typed=variables["AWS_SESSION_TOKEN"])
    assert (refused.code, refused.out) == (2, "")
    assert "--token goes with the keys in the environment" in refused.err


# -- credential_process ----------------------------------------------------------------------------------------------


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


def answers(home: Home, text: str) -> list[Path]:
    """The files of the credential cache that hold this answer."""
    return [each for each in home.folder.glob(".cache/venue-access/process-*") if each.read_text().startswith(text)]


@pytest.fixture
def venue(home: Home, provisioned: tuple[Kit, str]) -> dict[str, str]:
    """The environment in which a provisioned venue is known."""
    kit, _ = provisioned
    return {"INVOKE_INVENTORY": str(kit.inventory), "INVOKE_WORKDIR": str(kit.work_directory)}


def test_a_profile_gives_every_aws_tool_a_venues_token(
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


def test_it_answers_from_its_cache_until_five_minutes_before_the_end(home: Home, venue: dict[str, str]) -> None:
    arguments = ("--venue", "shared-dev", "--user", "bob")
    first, second = ask(home, *arguments, **venue), ask(home, *arguments, **venue)
    assert first.returncode == 0, first.stderr
    assert first.stdout == second.stdout
    assert second.stderr == ""
    (kept,) = answers(home, first.stdout)
    assert kept.stat().st_mode & 0o777 == 0o600
    document = json.loads(first.stdout)
    soon = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 290))
    kept.write_text(json.dumps({**document, "Expiration": soon}) + "\n")
    renewed = ask(home, *arguments, **venue)
    assert json.loads(renewed.stdout)["AccessKeyId"] != document["AccessKeyId"]
    kept.chmod(0o644)
    assert json.loads(ask(home, *arguments, **venue).stdout)["AccessKeyId"] != json.loads(renewed.stdout)["AccessKeyId"]
    assert kept.stat().st_mode & 0o777 == 0o600


def test_revoked_tokens_leave_the_cache(home: Home, venue: dict[str, str]) -> None:
    texts = {user: ask(home, "--venue", "shared-dev", "--user", user, **venue).stdout for user in ("dave", "dave-b")}
    (kept,) = answers(home, texts["dave"])
    session = json.loads(kept.read_text().splitlines()[1])["arn"].rpartition("/")[2]
    assert session.startswith("dave-20")
    revoked = home("revoke-token", "--session", session, environment=venue)
    assert revoked.code == 0, revoked.err
    assert "removed 1 cached token of venue-access-credentials" in revoked.err
    assert (answers(home, texts["dave"]), len(answers(home, texts["dave-b"]))) == ([], 1)
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


def test_several_that_ask_at_once_are_given_one_token(home: Home, venue: dict[str, str]) -> None:
    arguments = ("--venue", "shared-dev", "--user", "carol")
    with ThreadPoolExecutor(3) as pool:
        answers = {each.stdout for each in pool.map(lambda _: ask(home, *arguments, **venue), range(3))}
    assert len(answers) == 1
    assert json.loads(answers.pop())["Version"] == 1


@pytest.mark.parametrize("arguments", [(), ("--venue", "nowhere"), ("--account", "work"), ("--venue", "a", "--x")])
def test_what_cannot_be_is_one_message_and_nothing_on_standard_output(
    home: Home, venue: dict[str, str], arguments: tuple[str, ...]
) -> None:
    done = ask(home, *arguments, **venue)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr


def test_from_the_cache_it_imports_neither_boto3_nor_invoke_nor_json(home: Home, venue: dict[str, str]) -> None:
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
def test_what_nobody_could_read_is_no_success(redirection: str, home: Home, venue: dict[str, str]) -> None:
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
