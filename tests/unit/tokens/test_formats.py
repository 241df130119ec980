"""A token as text: which formats there are, and those that are documents."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

from scripts.docs import arguments_of
from tests.stacks import a_venue
from tests.unit.tokens.tokens import ARN, a_token, written
from venue_access.errors import DeliveryError, UsageError
from venue_access.tokens.formats import FORMATS, Format, aws_json, writer

CHECKOUT = Path(__file__).resolve().parents[3]
CREDENTIALS = {
    "AccessKeyId": "ASIAEXAMPLE",
    "SecretAccessKey": "very-secret",
    "SessionToken": "of-session",
    "Expiration": "2026-11-20T22:15:00Z",
}


# -- which there are -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FORMATS)
def test_each_module_of_the_package_is_a_format(name: str) -> None:
    assert isinstance(FORMATS[name], Format)
    assert "very-secret" in written(name)
    assert not written(name).endswith("\n")


def test_the_documentation_has_a_line_for_each_format() -> None:
    text = (CHECKOUT / "docs" / "formats.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `([\w-]+)` \|", text, re.MULTILINE) == list(FORMATS)


def test_the_help_of_the_flag_names_each_format() -> None:
    (flag,) = (each for each in arguments_of("issue-token") if each.name == "format")
    assert flag.help.partition(": ")[2].replace(" (default)", "").split(", ") == list(FORMATS)


def test_only_the_format_that_is_used_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    package = "venue_access.tokens.formats."
    for name in [name for name in sys.modules if name.startswith(package)]:
        monkeypatch.delitem(sys.modules, name)
    writer("fish", a_venue())
    assert [name.removeprefix(package) for name in sys.modules if name.startswith(package)] == ["fish"]


def test_a_format_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(UsageError, match="no format 'jsno'; did you mean 'json'") as raised:
        writer("jsno", a_venue())
    assert ", ".join(FORMATS) in str(raised.value)


@pytest.mark.parametrize("name", [name for name in FORMATS if name not in ("json", "ansible")])
def test_several_tokens_are_refused_where_a_line_does_not_say_whose_it_is(name: str) -> None:
    with pytest.raises(UsageError, match="one user at a time") as raised:
        writer(name, a_venue(), several=True)
    assert raised.value.hint == "for several take json or ansible"


@pytest.mark.parametrize("name", ["json", "ansible"])
def test_several_tokens_are_a_document_a_line_that_says_whose_it_is(name: str) -> None:
    line = writer(name, a_venue(), several=True)(a_token())
    assert "\n" not in line
    assert ARN in line
    assert json.loads(line) == json.loads(written(name))


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "ini"])
def test_a_profile_name_is_refused_where_there_is_no_profile(name: str) -> None:
    with pytest.raises(UsageError, match="has no profile"):
        written(name, profile_name="issuer")


@pytest.mark.parametrize(
    "name", [name for name in FORMATS if name not in ("json", "ansible", "process", "legacy-json")]
)
def test_what_cannot_be_written_is_an_error_that_does_not_show_it(name: str) -> None:
    with pytest.raises(DeliveryError, match="take --format json") as raised:
        written(name, a_token(secret="hunter2\0"))
    assert "hunter2" not in str(raised.value)


# -- documents -------------------------------------------------------------------------------------------------------


def test_a_token_is_what_the_aws_cli_prints() -> None:
    document = {
        "AssumedRoleUser": {"AssumedRoleId": "AROAEXAMPLE:alice-1", "Arn": ARN},
        "Credentials": CREDENTIALS,
    }
    assert aws_json(a_token()) == document
    assert written("json") == json.dumps(document, indent=4)


@pytest.mark.parametrize("packed", [0, 6])
def test_a_packed_size_is_there_where_aws_measured_one(packed: int) -> None:
    assert aws_json(a_token(packed=packed))["PackedPolicySize"] == packed


def test_a_token_does_not_print_by_accident() -> None:
    assert "very-secret" not in repr(a_token())
    assert "of-session" not in str(a_token())


def test_a_process_prints_version_1_of_the_keys() -> None:
    assert json.loads(written("process")) == {"Version": 1, **CREDENTIALS}


def test_older_scripts_get_their_four_keys() -> None:
    assert json.loads(written("legacy-json")) == {
        "access_key": "ASIAEXAMPLE",
        "secret_key": "very-secret",
        "session_token": "of-session",
        "expiration": "2026-11-20T22:15:00Z",
    }


def test_ansible_gets_what_its_own_module_returns() -> None:
    assert json.loads(written("ansible")) == {
        "sts_creds": {
            "access_key": "ASIAEXAMPLE",
            "secret_key": "very-secret",
            "session_token": "of-session",
            "expiration": "2026-11-20T22:15:00+00:00",
        },
        "sts_user": {"assumed_role_id": "AROAEXAMPLE:alice-1", "arn": ARN},
    }
