"""An account's variables in a shell, its names and credentials, and MFA codes."""

from __future__ import annotations

from pathlib import Path

import pytest

from venue_access.accounts.cache import CredentialCache
from venue_access.accounts.profiles import Account, is_account_name, parse_credentials
from venue_access.accounts.session import (
    ACCOUNT_VARIABLE,
    UNSET,
    AccountSession,
    ActiveCredentials,
    run_mfa_process,
    session_seconds,
    statements,
    whoami,
)
from venue_access.aws.client import Credentials
from venue_access.errors import UsageError
from venue_access.sensitive import Secret

LONG = Credentials("AKIAEXAMPLE000000001", Secret("long-term"))
SESSION = Credentials("ASIAEXAMPLE000000001", Secret("short-term"), Secret("session"))
OLD = ("AWS_ACCESS_KEY", "AWS_SECRET_KEY", "AWS_DELEGATION_TOKEN")


def test_long_term_credentials_unset_session_variables() -> None:
    given = ActiveCredentials("work", LONG, None, "us-east-1").variables()
    assert given["AWS_SECRET_ACCESS_KEY"] == "long-term"
    for name in ("AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN", "AWS_CREDENTIAL_EXPIRATION", "AWS_PROFILE", *OLD):
        assert given[name] is None
    assert given.keys() == UNSET.keys()


def test_session_sets_token_under_both_names_and_legacy_variables() -> None:
    given = ActiveCredentials("work-MFA-STS", SESSION, None, "us-east-1").variables(legacy=True)
    assert given["AWS_SESSION_TOKEN"] == given["AWS_SECURITY_TOKEN"] == given["AWS_DELEGATION_TOKEN"] == "session"
    assert (given["AWS_ACCESS_KEY"], given["AWS_SECRET_KEY"]) == ("ASIAEXAMPLE000000001", "short-term")
    assert given[ACCOUNT_VARIABLE] == "work-MFA-STS"


@pytest.mark.parametrize(
    ("own", "environ", "region"),
    [
        (None, {}, "us-east-1"),
        (None, {"AWS_DEFAULT_REGION": "eu-west-1"}, "eu-west-1"),
        ("us-west-2", {"AWS_REGION": "eu-west-1"}, "us-west-2"),
    ],
)
def test_region_defaults(own: str | None, environ: dict[str, str], region: str, tmp_path: Path) -> None:
    account = Account("work", "folder", lambda: LONG, region=own)
    assert AccountSession(account, CredentialCache(tmp_path), environ).region == region


def test_format_that_is_not_for_shells_is_refused() -> None:
    with pytest.raises(UsageError, match=r"the formats for shells are: env, fish, powershell, windows-cmd"):
        statements({}, "json")


def test_whoami_shows_the_end_of_unknown_access_keys() -> None:
    environ = {"AWS_ACCESS_KEY_ID": "ASIAEXAMPLE00000WXYZ"}
    assert whoami(environ) == ["Keys set that end in WXYZ, not by account.use"]
    assert whoami({ACCOUNT_VARIABLE: "work"}) == ["No keys set"]


@pytest.mark.parametrize("name", ["", "-x", "a/b", "..", "../x", "a b", "a\nb", "$(x)", "a" * 65])
def test_invalid_account_names(name: str) -> None:
    assert not is_account_name(name) or name == ".."  # two dots are a name and not a path: a suffix follows them


@pytest.mark.parametrize(
    ("key", "secret"), [("", "s"), ("AKIA EXAMPLE", "s"), ("AKIAEXAMPLE01", ""), ("AKIAEXAMPLE01", "a b")]
)
def test_malformed_credentials_are_refused_and_not_shown(key: str, secret: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_credentials("a file", key, Secret(secret))
    assert not secret or secret not in str(refused.value).split()


@pytest.mark.parametrize("text", ["899", "36h1s", "soon"])
def test_session_duration_out_of_range_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        session_seconds(text)
    assert session_seconds("36h") == 129_600


def test_mfa_process_runs_without_shell_and_prints_six_digits() -> None:
    assert run_mfa_process("printf '%s\\n' 123456") == Secret("123456")
    for process, why in (
        ("printf 12345", "did not print six digits"),
        ("false", "exited with 1"),
        ("not-there-at-all", "cannot run"),
        ("printf '", "unbalanced quotes"),
        ("printf 123456; echo", "did not print six digits"),
        ("", "cannot run"),
    ):
        with pytest.raises(UsageError, match=why):
            run_mfa_process(process)
