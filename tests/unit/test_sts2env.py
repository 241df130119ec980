"""``scripts/sts2env``: what it takes for a token, and what it writes. Real shells read that in tests/functional."""

from __future__ import annotations

import ast
import json
import re
import sys
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.tokens.tokens import a_token, written
from venue_access.errors import DeliveryError
from venue_access.tokens.formats import aws_json
from venue_access.tokens.shell_formats import CONFLICTING

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "sts2env"


def imported() -> Any:
    """The script as a module; it has no ``.py`` at its end."""
    loader = SourceFileLoader("sts2env", str(SCRIPT))
    spec = spec_from_loader("sts2env", loader)
    assert spec is not None
    module = module_from_spec(spec)
    loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def sts2env() -> Any:
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        return imported()
    finally:
        sys.dont_write_bytecode = before


def credentials(**changes: Any) -> dict[str, Any]:
    document: dict[str, Any] = aws_json(a_token())["Credentials"]
    return {**document, **changes}


def without(document: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in document.items() if key not in keys}


# -- what it takes for a token ---------------------------------------------------------------------------------------

SET = {
    "AWS_ACCESS_KEY_ID": "ASIAEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "very-secret",
    "AWS_SESSION_TOKEN": "of-session",
    "AWS_CREDENTIAL_EXPIRATION": "2026-11-20T22:15:00Z",
}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("form", ["json", "process", "legacy-json"])
def test_formats_of_the_kit_load_in_windows_encodings(sts2env: Any, form: str, encoding: str) -> None:
    assert sts2env.loading(written(form).encode(encoding)) == {**SET, **dict.fromkeys(CONFLICTING)}


def test_given_region_is_set(sts2env: Any) -> None:
    regions = {"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-1"}
    assert sts2env.loading(written("json").encode(), "eu-west-1") == {**SET, **regions, **dict.fromkeys(CONFLICTING)}


@pytest.mark.parametrize("region", ["", "us west", "$(x)", "us-west-2\n", "US-WEST-2", "a" * 41])
def test_invalid_region_is_refused(sts2env: Any, region: str) -> None:
    with pytest.raises(sts2env.BadInput, match="--region is not the name of an AWS region"):
        sts2env.loading(written("json").encode(), region)


def test_long_term_keys_of_a_credential_process_take_a_session_token_away(sts2env: Any) -> None:
    document = without({"Version": 1, **credentials()}, "SessionToken", "Expiration")
    found = sts2env.loading(json.dumps(document).encode())
    assert found["AWS_SECRET_ACCESS_KEY"] == "very-secret"
    assert found["AWS_SESSION_TOKEN"] is found["AWS_CREDENTIAL_EXPIRATION"] is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "standard input is empty"),
        (" \n", "standard input is empty"),
        ("hunter2", "standard input is not JSON"),
        ('{"Credentials": {"SecretAccessKey": "hunter2"', "standard input is not JSON"),
        ("[" * 100_000, "standard input is not JSON"),
        ("1" * 10_000, "not JSON|not an object"),
        ("null", "not an object"),
        ('["hunter2"]', "not an object"),
        ("{}", "has neither Credentials, nor AccessKeyId, nor access_key"),
        ('{"Error": {"Code": "AccessDenied", "Message": "hunter2"}}', "is an error, not a token"),
        ('{"__type": "AccessDeniedException"}', "is an error, not a token"),
        ('{"Credentials": null}', "Credentials is not an object"),
        ('{"Credentials": ["hunter2"]}', "Credentials is not an object"),
        ('{"access_key": "hunter2"}', "the JSON has no secret_key"),
        (json.dumps(credentials()), "but not its Version 1"),
        (json.dumps({**credentials(), "Version": 2}), "but not its Version 1"),
        (json.dumps({"Credentials": without(credentials(), "SessionToken")}), "has no Credentials.SessionToken"),
        (json.dumps({"Credentials": without(credentials(), "Expiration")}), "has no Credentials.Expiration"),
        (json.dumps({"Credentials": credentials(AccessKeyId=None)}), "has no Credentials.AccessKeyId"),
        (json.dumps({"Credentials": credentials(AccessKeyId=7)}), "Credentials.AccessKeyId is not a text"),
        (json.dumps({"Credentials": credentials(AccessKeyId="")}), "Credentials.AccessKeyId is not a text"),
        (json.dumps({"Credentials": credentials(SessionToken=["hunter2"])}), "SessionToken is not a text"),
        (json.dumps({"Credentials": credentials(SessionToken="hunter2\0")}), "no environment variable holds"),
        (json.dumps({"Credentials": credentials(SessionToken="hunter2\ud800")}), "no environment variable holds"),
    ],
)
def test_invalid_token_is_refused_and_not_quoted(sts2env: Any, text: str, message: str) -> None:
    with pytest.raises(sts2env.BadInput, match=message) as raised:
        sts2env.loading(text.encode())
    assert "hunter2" not in str(raised.value)
    assert "\n" not in str(raised.value)


def test_undecodable_bytes_are_refused(sts2env: Any) -> None:
    with pytest.raises(sts2env.BadInput, match="not JSON"):
        sts2env.loading(b'{"access_key": "\xff\xfe"}')


def test_unset_names_only_safe_aws_variables(sts2env: Any) -> None:
    found = sts2env.unloading(["AWS_PAGER", "AWS_$(touch x)", "AWS_X;ls", "AWS_X\nls", "MY_AWS_X", "AWS_", "PATH"])
    assert set(found) == {*SET, *CONFLICTING, "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PAGER"}
    assert set(found.values()) == {None}


# -- what it writes --------------------------------------------------------------------------------------------------

any_value = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), min_size=1)


@given(value=any_value)
def test_output_is_safe_unquoted_in_posix_shells(sts2env: Any, value: str) -> None:
    text = sts2env.posix({"AWS_X": value, "AWS_Y": None})
    assert re.fullmatch(r"""[\w+/=.:,@%'"`${}; \n-]*""", text, re.ASCII)
    assert "  " not in text
    assert all(line.endswith(";") for line in text.split("\n"))


@pytest.mark.parametrize(
    ("shell", "form"), [("sh", "env"), ("fish", "fish"), ("powershell", "powershell"), ("cmd", "windows-cmd")]
)
def test_of_what_aws_issues_it_makes_what_the_kit_does_but_for_the_endpoint(
    sts2env: Any, shell: str, form: str
) -> None:
    own = [line for line in written(form).split("\n") if "ENDPOINT_URL" not in line and "CA_BUNDLE" not in line]
    found = sts2env.SHELLS[shell](sts2env.loading(written("json").encode(), "us-west-2")).split("\n")
    assert sorted(found) == sorted(own)


@pytest.mark.parametrize("form", ["fish", "powershell"])
@given(value=any_value)
def test_quoting_matches_the_kit(sts2env: Any, form: str, value: str) -> None:
    own = written(form, a_token(secret=value)).split("\n")
    assert sts2env.SHELLS[form]({"AWS_SECRET_ACCESS_KEY": value}) in own


@given(value=any_value)
def test_for_cmd_it_refuses_what_the_kit_refuses_and_writes_the_rest_as_it_does(sts2env: Any, value: str) -> None:
    try:
        own = written("windows-cmd", a_token(secret=value)).split("\n")
    except DeliveryError:
        with pytest.raises(sts2env.BadInput, match="cannot be given AWS_SECRET_ACCESS_KEY"):
            sts2env.cmd({"AWS_SECRET_ACCESS_KEY": value})
    else:
        assert sts2env.cmd({"AWS_SECRET_ACCESS_KEY": value}) in own


def test_unset_variables_match_the_kit(sts2env: Any) -> None:
    assert sts2env.IN_THE_WAY == CONFLICTING


# -- one file, for anybody -------------------------------------------------------------------------------------------


def test_script_is_one_file_for_python_3_8() -> None:
    tree = ast.parse(SCRIPT.read_text(encoding="utf-8"), feature_version=(3, 8))
    imports = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    imports += [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert {name.split(".")[0] for name in imports} <= sys.stdlib_module_names
    assert SCRIPT.stat().st_mode & 0o111 == 0o111
