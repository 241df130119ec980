"""The statements for shells, as text. The real bash, dash, zsh and fish read them in tests/functional."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.stacks import a_venue
from tests.unit.tokens.tokens import a_token, accounts_at, written
from venue_access.aws.client import Endpoint
from venue_access.errors import DeliveryError, UsageError
from venue_access.tokens.formats import token_formatter
from venue_access.tokens.shell_formats import CONFLICTING

SET = {
    "AWS_ACCESS_KEY_ID": "ASIAEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "very-secret",
    "AWS_SESSION_TOKEN": "of-session",
    "AWS_CREDENTIAL_EXPIRATION": "2026-11-20T22:15:00Z",
    "AWS_REGION": "us-west-2",
    "AWS_DEFAULT_REGION": "us-west-2",
}


def secret_line(name: str, secret: str) -> str:
    """The line that sets a secret key, where it is on one."""
    (line,) = (line for line in written(name, a_token(secret=secret)).split("\n") if "AWS_SECRET_ACCESS_KEY" in line)
    return line


@pytest.mark.parametrize(
    ("name", "setting", "taking_away"),
    [
        ("env", "export {}='{}';", "unset {};"),
        ("fish", "set -gx {} '{}';", "set -eg {};"),
        ("powershell", "$env:{} = '{}'", "$env:{} = $null"),
        ("windows-cmd", 'set "{}={}"', 'set "{}="'),
    ],
)
def test_statements_set_the_token_and_unset_conflicting_variables(name: str, setting: str, taking_away: str) -> None:
    expected = [setting.format(*each) for each in SET.items()] + [taking_away.format(each) for each in CONFLICTING]
    assert written(name).split("\n")[: len(expected)] == expected


ENDPOINT = Endpoint("https://127.0.0.1:4566", Path("/emulator/ca.pem"))


@pytest.mark.parametrize("name", ["dotenv", "env-no-export"])
def test_assignments_have_the_endpoint(name: str) -> None:
    text = token_formatter(name, a_venue(), accounts_at(ENDPOINT)).text(a_token())
    for variable in ("AWS_ENDPOINT_URL=https://127.0.0.1:4566", "AWS_CA_BUNDLE=/emulator/ca.pem"):
        assert f"\n{variable}\nVENUE_ACCESS_{variable}" in text


def test_profile_has_the_endpoint() -> None:
    text = token_formatter("ini", a_venue(), accounts_at(ENDPOINT)).text(a_token())
    assert text.endswith("endpoint_url = https://127.0.0.1:4566\nca_bundle = /emulator/ca.pem")


def test_powershell_restores_the_users_own_endpoint() -> None:
    """No PowerShell runs here; bash, dash, zsh and fish do in tests/functional/test_shell_formats.py."""
    assert [line for line in written("powershell").split("\n") if "CA_B" in line] == [
        "if ($env:AWS_CA_BUNDLE -ceq $env:VENUE_ACCESS_AWS_CA_BUNDLE)"
        " { $env:AWS_CA_BUNDLE = $env:VENUE_ACCESS_OWN_AWS_CA_BUNDLE }",
        "$env:VENUE_ACCESS_AWS_CA_BUNDLE = $null",
        "$env:VENUE_ACCESS_OWN_AWS_CA_BUNDLE = $null",
    ]


def test_powershell_saves_the_users_own_endpoint() -> None:
    text = token_formatter("powershell", a_venue(), accounts_at(ENDPOINT)).text(a_token())
    assert [line for line in text.split("\n") if "CA_B" in line] == [
        "if ($env:AWS_CA_BUNDLE -cne $env:VENUE_ACCESS_AWS_CA_BUNDLE)"
        " { $env:VENUE_ACCESS_OWN_AWS_CA_BUNDLE = $env:AWS_CA_BUNDLE }",
        "$env:AWS_CA_BUNDLE = '/emulator/ca.pem'",
        "$env:VENUE_ACCESS_AWS_CA_BUNDLE = '/emulator/ca.pem'",
    ]


def test_cmd_has_only_set_statements() -> None:
    text = token_formatter("windows-cmd", a_venue(), accounts_at(ENDPOINT)).text(a_token())
    assert 'set "AWS_CA_BUNDLE=/emulator/ca.pem"' in text
    assert not [line for line in f"{text}\n{written('windows-cmd')}".split("\n") if not line.startswith('set "')]


@pytest.mark.parametrize(
    ("name", "path"), [("dotenv", "/with space/ca.pem"), ("ini", "/a #b/ca.pem"), ("windows-cmd", '/a"b/ca.pem')]
)
def test_unwritable_ca_file_is_refused_before_the_issue(name: str, path: str) -> None:
    with pytest.raises(UsageError, match=f"--format {name} cannot hold the path"):
        token_formatter(name, a_venue(), accounts_at(Endpoint(ENDPOINT.url, Path(path))))


@pytest.mark.parametrize("name", ["dotenv", "env-no-export"])
def test_assignments_of_what_aws_issues_are_bare(name: str) -> None:
    assert written(name).split("\n") == [f"{variable}={value}" for variable, value in SET.items()]


@pytest.mark.parametrize("name", ["env", "fish", "powershell", "windows-cmd"])
def test_missing_session_token_is_unset(name: str) -> None:
    stale = next(line for line in written(name).split("\n") if "AWS_PROFILE" in line)
    assert stale.replace("AWS_PROFILE", "AWS_SESSION_TOKEN") in written(name, a_token(session=None)).split("\n")


# -- the rules of each shell -----------------------------------------------------------------------------------------


def test_leading_equals_sign_is_quoted_for_zsh() -> None:
    assert secret_line("env-no-export", "=ls") == "AWS_SECRET_ACCESS_KEY='=ls'"
    assert secret_line("env-no-export", "a=ls") == "AWS_SECRET_ACCESS_KEY=a=ls"


@pytest.mark.parametrize(
    ("value", "quoted"),
    [
        ("it's", r"'it\'s'"),
        ("\\", r"'\\'"),
        ("$HOME (x) *", "'$HOME (x) *'"),
        ("a\nb", r"'a'\x0a'b'"),
        ("\té", r"''\x09'é'"),
    ],
)
def test_fish_quoting(value: str, quoted: str) -> None:
    assert secret_line("fish", value) == f"set -gx AWS_SECRET_ACCESS_KEY {quoted};"


@pytest.mark.parametrize(
    ("value", "quoted"),
    [
        ("it's", "'it''s'"),
        ("\u2018a\u2019\u201ab\u201b", "'\u2018\u2018a\u2019\u2019\u201a\u201ab\u201b\u201b'"),
        ('$(x) `n "q" %!\\', "'$(x) `n \"q\" %!\\'"),
        ("a\r\nb", "'a' + [char]13 + '' + [char]10 + 'b'"),
        ("\n", "'' + [char]10 + ''"),
    ],
)
def test_powershell_quoting(value: str, quoted: str) -> None:
    assert secret_line("powershell", value) == f"$env:AWS_SECRET_ACCESS_KEY = {quoted}"


@pytest.mark.parametrize(
    ("value", "written_as"), [("100%PATH%", "100%%PATH%%"), ("a&b|c<d>^e!'é \\", "a&b|c<d>^e!'é \\")]
)
def test_cmd_quoting(value: str, written_as: str) -> None:
    assert secret_line("windows-cmd", value) == f'set "AWS_SECRET_ACCESS_KEY={written_as}"'


@pytest.mark.parametrize("value", ['a"&calc&"', "a\nb", "a\rb", "\x1a"])
def test_cmd_refuses_quotes_and_control_characters(value: str) -> None:
    with pytest.raises(DeliveryError, match="its AWS_SECRET_ACCESS_KEY contains a double quote or control character"):
        written("windows-cmd", a_token(secret=value))


@pytest.mark.parametrize("value", ["a b", "a\nAWS_X=1", "'a'", '"a"', "$a", "a#", "a\\", "é", "a\n"])
def test_dotenv_refuses_values_that_readers_parse_differently(value: str) -> None:
    with pytest.raises(DeliveryError, match="which a dotenv file cannot hold"):
        written("dotenv", a_token(secret=value))
