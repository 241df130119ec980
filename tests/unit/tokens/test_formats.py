"""A token as text: which formats there are, and those that are documents."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.docs import arguments_of
from tests.stacks import a_venue
from tests.unit.tokens.tokens import ARN, a_token, written
from venue_access.errors import DeliveryError, UsageError
from venue_access.tokens.formats import FORMATS, Format, aws_json, find_format, token_formatter

CHECKOUT = Path(__file__).resolve().parents[3]
CREDENTIALS = {
    "AccessKeyId": "ASIAEXAMPLE",
    "SecretAccessKey": "very-secret",
    "SessionToken": "of-session",
    "Expiration": "2026-11-20T22:15:00Z",
}


# -- which there are -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FORMATS)
def test_each_format_writes_a_token(name: str) -> None:
    assert isinstance(find_format(name), Format)
    assert "very-secret" in written(name)
    assert not written(name).endswith("\n")


def test_documentation_lists_each_format() -> None:
    text = (CHECKOUT / "docs" / "formats.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `([\w-]+)` \|", text, re.MULTILINE) == list(FORMATS)


def test_help_lists_each_format() -> None:
    (flag,) = (each for each in arguments_of("issue-token") if each.name == "format")
    assert flag.help.partition(": ")[2].replace(" (default)", "").split(", ") == list(FORMATS)


def test_formats_import_only_their_own_module() -> None:
    script = (
        "import sys\nfrom venue_access.tokens.formats import find_format\n"
        "loaded = lambda: sorted(name for name in sys.modules if name.endswith(('_format', '_formats')))\n"
        "find_format('json')\nprint(loaded())\nfind_format('fish')\nprint(loaded())\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=CHECKOUT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n['venue_access.tokens.shell_formats']\n"


def test_unknown_format_is_refused_with_suggestions() -> None:
    with pytest.raises(UsageError, match="unknown format 'jsno'; did you mean 'json'") as raised:
        token_formatter("jsno", a_venue())
    assert ", ".join(FORMATS) in str(raised.value)


@pytest.mark.parametrize("name", [name for name in FORMATS if name not in ("json", "ansible")])
def test_format_for_one_token_refuses_several(name: str) -> None:
    with pytest.raises(UsageError, match="one user at a time") as raised:
        token_formatter(name, a_venue(), multiple=True)
    assert raised.value.hint == "for several use json or ansible"


@pytest.mark.parametrize("name", ["json", "ansible"])
def test_several_tokens_are_one_document_per_line(name: str) -> None:
    line = token_formatter(name, a_venue(), multiple=True).text(a_token())
    assert "\n" not in line
    assert ARN in line
    assert json.loads(line) == json.loads(written(name))


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "ini"])
def test_profile_name_is_refused_without_a_profile(name: str) -> None:
    with pytest.raises(UsageError, match="has no profile"):
        written(name, profile_name="issuer")


@pytest.mark.parametrize(
    "name", [name for name in FORMATS if name not in ("json", "ansible", "process", "legacy-json")]
)
def test_unwritable_value_is_refused_without_showing_it(name: str) -> None:
    with pytest.raises(DeliveryError, match="use --format json") as raised:
        written(name, a_token(secret="hunter2\0"))
    assert "hunter2" not in str(raised.value)


# -- documents -------------------------------------------------------------------------------------------------------


def test_json_equals_the_output_of_the_aws_cli() -> None:
    document = {
        "AssumedRoleUser": {"AssumedRoleId": "AROAEXAMPLE:alice-1", "Arn": ARN},
        "Credentials": CREDENTIALS,
    }
    assert aws_json(a_token()) == document
    assert written("json") == json.dumps(document, indent=4)


@pytest.mark.parametrize("packed", [0, 6])
def test_json_has_the_packed_policy_size_if_measured(packed: int) -> None:
    assert aws_json(a_token(packed=packed))["PackedPolicySize"] == packed


def test_repr_does_not_show_a_token() -> None:
    assert "very-secret" not in repr(a_token())
    assert "of-session" not in str(a_token())


def test_process_format_is_version_1() -> None:
    assert json.loads(written("process")) == {"Version": 1, **CREDENTIALS}


def test_legacy_json_has_four_keys() -> None:
    assert json.loads(written("legacy-json")) == {
        "access_key": "ASIAEXAMPLE",
        "secret_key": "very-secret",
        "session_token": "of-session",
        "expiration": "2026-11-20T22:15:00Z",
    }


def test_ansible_format_equals_the_modules_result() -> None:
    assert json.loads(written("ansible")) == {
        "sts_creds": {
            "access_key": "ASIAEXAMPLE",
            "secret_key": "very-secret",
            "session_token": "of-session",
            "expiration": "2026-11-20T22:15:00+00:00",
        },
        "sts_user": {"assumed_role_id": "AROAEXAMPLE:alice-1", "arn": ARN},
    }
