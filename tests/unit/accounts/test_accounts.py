"""What an account's keys are in a shell, what its names may be, and how MFA codes are had."""

from __future__ import annotations

import pytest

from venue_access.accounts.account import fits, keys_of
from venue_access.accounts.mfa import code_of, given_code, session_seconds
from venue_access.accounts.shell import SHOWN, nothing, region_of, statements, variables, whoami
from venue_access.aws.client import Credentials
from venue_access.errors import UsageError
from venue_access.sensitive import Secret

LONG = Credentials("AKIAEXAMPLE000000001", Secret("long-term"))
SESSION = Credentials("ASIAEXAMPLE000000001", Secret("short-term"), Secret("session"))
OLD = ("AWS_ACCESS_KEY", "AWS_SECRET_KEY", "AWS_DELEGATION_TOKEN")


def test_long_term_keys_take_a_sessions_variables_away() -> None:
    given = variables("work", LONG, None, "us-east-1")
    assert given["AWS_SECRET_ACCESS_KEY"] == "long-term"
    for name in ("AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN", "AWS_CREDENTIAL_EXPIRATION", "AWS_PROFILE", *OLD):
        assert given[name] is None
    assert given.keys() == nothing().keys()


def test_a_session_has_the_token_under_both_names_and_legacy_the_old_tools_three() -> None:
    given = variables("work-MFA-STS", SESSION, None, "us-east-1", legacy=True)
    assert given["AWS_SESSION_TOKEN"] == given["AWS_SECURITY_TOKEN"] == given["AWS_DELEGATION_TOKEN"] == "session"
    assert (given["AWS_ACCESS_KEY"], given["AWS_SECRET_KEY"]) == ("ASIAEXAMPLE000000001", "short-term")
    assert given[SHOWN] == "work-MFA-STS"


@pytest.mark.parametrize(
    ("own", "environ", "region"),
    [
        (None, {}, "us-east-1"),
        (None, {"AWS_DEFAULT_REGION": "eu-west-1"}, "eu-west-1"),
        ("us-west-2", {"AWS_REGION": "eu-west-1"}, "us-west-2"),
    ],
)
def test_the_region_is_the_accounts_or_the_shells_or_us_east_1(
    own: str | None, environ: dict[str, str], region: str
) -> None:
    assert region_of(own, environ) == region


def test_a_format_that_is_for_no_shell_is_refused() -> None:
    with pytest.raises(UsageError, match=r"those for shells are: env, fish, powershell, windows-cmd"):
        statements({}, "json")


def test_keys_of_somebody_elses_making_are_told_by_their_end() -> None:
    environ = {"AWS_ACCESS_KEY_ID": "ASIAEXAMPLE00000WXYZ"}
    assert whoami(environ) == ["Keys set that end in WXYZ, not by account.use"]
    assert whoami({SHOWN: "work"}) == ["No keys set"]


@pytest.mark.parametrize("name", ["", "-x", "a/b", "..", "../x", "a b", "a\nb", "$(x)", "a" * 65])
def test_a_name_that_is_no_accounts(name: str) -> None:
    assert not fits(name) or name == ".."  # two dots are a name, and no path: an ending follows them


@pytest.mark.parametrize(
    ("key", "secret"), [("", "s"), ("AKIA EXAMPLE", "s"), ("AKIAEXAMPLE01", ""), ("AKIAEXAMPLE01", "a b")]
)
def test_what_cannot_be_keys_is_refused_and_not_shown(key: str, secret: str) -> None:
    with pytest.raises(UsageError) as refused:
        keys_of("a file", key, Secret(secret))
    assert not secret or secret not in str(refused.value).split()


@pytest.mark.parametrize("text", ["899", "36h1s", "soon"])
def test_a_session_that_aws_would_not_give_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        session_seconds(text)
    assert session_seconds("36h") == 129_600


def test_a_process_is_run_without_a_shell_and_is_to_print_six_digits() -> None:
    assert code_of("printf '%s\\n' 123456") == given_code("123456\n")
    for process, why in (
        ("printf 12345", "printed something else"),
        ("false", "ended with 1"),
        ("not-there-at-all", "cannot be run"),
        ("printf '", "its quotes do not match"),
        ("printf 123456; echo", "printed something else"),
        ("", "cannot be run"),
    ):
        with pytest.raises(UsageError, match=why):
            code_of(process)
