"""The operator's own accounts on the AWS emulator: sources of credentials, MFA, the cache, role tokens."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.functional.kit import CHECKOUT
from tests.functional.own_accounts import PERSONAL, ROLE, WORK, Home, make_home
from venue_access.emulator.server import aws_emulator


@pytest.fixture(scope="module")
def created(tmp_path_factory: pytest.TempPathFactory, work_directory: Path) -> Home:
    return make_home(tmp_path_factory.mktemp("home"), aws_emulator(work_directory).endpoint())


@pytest.fixture
def home(created: Home) -> Home:
    """A home without cached sessions."""
    created.remove_sessions()
    return created


def loaded(statements: str) -> dict[str, str]:
    """Return the variables that ``--format env`` sets."""
    pairs = [line.removeprefix("export ").split("=", 1) for line in statements.splitlines() if "=" in line]
    return {name: value.strip("';") for name, value in pairs}


# -- sources of credentials --------------------------------------------------------------------------------------------


def test_profile_role_is_assumed_with_its_settings(home: Home, tmp_path: Path) -> None:
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
    assert f"{credentials} is readable by group or others\n  restrict it: chmod 600 {credentials}" in refused.err
    credentials.chmod(0o600)
    escalated = home("account.mfa", "--name", "issuer", environment=files)
    assert escalated.err.endswith("Set keys for issuer-MFA-STS AWS account\n")
    variables = loaded(escalated.out)
    assert variables["AWS_REGION"] == variables["AWS_DEFAULT_REGION"] == "us-west-2"
    who = home("account.whoami", environment=variables)
    assert who.out == "Keys set for issuer-MFA-STS AWS account\nRegion is us-west-2\n"
    token = home("account.role-token", "--account", "issuer", "--format", "json", environment=files).document()
    assert token["AssumedRoleUser"]["Arn"].startswith(f"arn:aws:sts::{WORK}:assumed-role/{ROLE}/jbrowne-")


def test_keyring_has_accounts_of_the_account_file(home: Home, tmp_path: Path) -> None:
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


def test_folder_or_key_that_others_can_read_is_refused_with_remedy(home: Home) -> None:
    for path, mode, own in ((home.credentials, 0o750, 0o700), (home.credentials / "work.secret_key", 0o640, 0o600)):
        path.chmod(mode)
        refused = home("account.use", "--name", "work")
        path.chmod(own)
        assert (refused.code, refused.out) == (2, "")
        assert refused.err == f"error: {path} is readable by group or others\n  restrict it: chmod {own:o} {path}\n"


def test_invalid_account_names_are_refused(home: Home) -> None:
    (home.folder / "outside.access_key").write_text("AKIAOUTSIDE0000000")
    for name in ("../outside", "$(touch owned)", "-x"):
        refused = home("account.use", f"--name={name}")
        assert (refused.code, refused.out) == (2, ""), name
    assert not (home.folder / "owned").exists()


# -- MFA and the cache -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", ["12345", "1234567", "12345a", "\uff11\uff12\uff13\uff14\uff15\uff16", ""])
def test_invalid_mfa_code_is_refused_and_not_shown(home: Home, code: str) -> None:
    refused = home("account.mfa", "--name", "work", "--code", "-", typed=f"{code}\n")
    assert (refused.code, refused.out) == (2, "")
    assert not code or code not in refused.err
    assert home.sessions == []


def test_mfa_session_is_cached_per_account(home: Home) -> None:
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
    assert cleared.err == "removed 1 session\n"
    assert home("account.use", "--name", "work").err.startswith("Cache not present for account work\n")


def test_expiring_or_truncated_session_is_not_used_in_any_time_zone(home: Home) -> None:
    home("account.mfa", "--name", "work", "--code", "123456")
    (session,) = home.sessions
    document = json.loads(session.read_text())
    for left, message in ((240, "Cache invalid or not present"), (360, "Cache is valid")):
        ends = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + left))
        session.write_text(json.dumps({**document, "Expiration": ends}))
        for zone in ("Asia/Tokyo", "America/Los_Angeles"):
            assert home("account.use", "--name", "work", environment={"TZ": zone}).err.startswith(message)
    session.write_text(session.read_text()[:100])
    assert home("account.use", "--name", "work").err.startswith("Cache invalid or not present")
    assert home("account.mfa", "--name", "work", "--code", "123456").code == 0


def test_cache_survives_concurrency_and_a_kill(home: Home) -> None:
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda _: home("account.mfa", "--name", "work", "--code", "123456"), range(2)))
    assert [each.code for each in both] == [0, 0]
    (session,) = home.sessions
    whole = session.read_text()
    killing = (
        "import os, signal\nfrom venue_access import files\n"
        "os.replace = lambda *a: os.kill(os.getpid(), signal.SIGKILL)\n"
        "files.write_private(__import__('pathlib').Path(os.sys.argv[1]), 'half')\n"
    )
    killed = subprocess.run([sys.executable, "-c", killing, str(session)], cwd=CHECKOUT, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert session.read_text() == whole
    assert home("account.use", "--name", "work").err.startswith("Cache is valid")


def test_credentials_and_codes_are_not_shown(home: Home) -> None:
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


def test_role_token_uses_credentials_in_the_environment(home: Home) -> None:
    variables = loaded(home("account.mfa", "--name", "work", "--code", "123456").out)
    arguments = ("account.role-token", "--account", "work", "--role", ROLE, "--token", "-")
    taken = home(*arguments, typed=variables["AWS_SESSION_TOKEN"], environment=variables)
    assert taken.code == 0, taken.err
    refused = home(*arguments, typed=variables["AWS_SESSION_TOKEN"])
    assert (refused.code, refused.out) == (2, "")
    assert "--token requires AWS_ACCESS_KEY_ID" in refused.err
