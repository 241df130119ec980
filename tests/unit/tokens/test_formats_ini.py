"""A profile for ``~/.aws/credentials``, read back by Python's configparser and by botocore."""

from __future__ import annotations

from configparser import RawConfigParser
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.tokens.tokens import a_token, written
from venue_access.errors import DeliveryError, UsageError


def as_botocore_reads(text: str, folder: Path, profile: str) -> tuple[Any, ...]:
    """The keys and the region of a profile, from a credentials file with another before and after it."""
    file = folder / "credentials"
    others = ["[default]\naws_access_key_id = A\naws_secret_access_key = B", "[last]\nregion = eu-west-1"]
    file.write_text("\n\n".join([others[0], text, others[1]]) + "\n", encoding="utf-8")
    session = botocore.session.Session(
        session_vars={
            "credentials_file": (None, None, str(file), None),
            "config_file": (None, None, str(folder / "none"), None),
        },
        profile=profile,
    )
    found = session.get_credentials()
    assert found is not None
    keys = found.get_frozen_credentials()
    return keys.access_key, keys.secret_key, keys.token, session.get_config_variable("region")


def test_profile_is_named_after_the_venue() -> None:
    assert written("ini").split("\n") == [
        "[unity-dev]",
        "# until 2026-11-20T22:15:00Z",
        "aws_access_key_id = ASIAEXAMPLE",
        "aws_secret_access_key = very-secret",
        "aws_session_token = of-session",
        "region = us-west-2",
    ]


@pytest.mark.parametrize("name", ["unity-dev", "default2", "DEFAULT2", "Default", "a.b/c@d:e+f%g_h", "9"])
def test_botocore_finds_the_profile_by_its_name(name: str, tmp_path: Path) -> None:
    text = written("ini", profile_name=name)
    assert as_botocore_reads(text, tmp_path, name) == ("ASIAEXAMPLE", "very-secret", "of-session", "us-west-2")


@pytest.mark.parametrize("name", ["", " ", "a b", "a]", "[a", "DEFAULT", "-x", "a\nb", "a\n", "é", "#a", "x" * 129])
def test_invalid_profile_name_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="is not a name that every AWS tool accepts"):
        written("ini", profile_name=name)


@pytest.mark.parametrize(
    "value",
    ["a\nregion = eu-west-1", "a\r[default]", "a\n", "\na", " a", "a ", "\ta", "a #b", "a\t;b", "\u2028", "a\x85b"],
)
def test_value_that_would_be_read_differently_is_refused(value: str) -> None:
    with pytest.raises(DeliveryError, match="which a credentials file cannot hold"):
        written("ini", a_token(secret=value))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    value=st.one_of(
        st.sampled_from(["%(x)s", "a=b", "a: b", "[x]", "#", ";a", "\"a'", "$(x)`", "\\", "é"]),
        st.text(st.characters(blacklist_categories=["Cs"]), min_size=1),
        st.text("a #;=:[]%\"'\\\n\r\t", min_size=1),
    )
)
def test_written_values_are_read_back_unchanged(value: str, tmp_path: Path) -> None:
    try:
        text = written("ini", a_token(secret=value))
    except DeliveryError:
        return
    parser = RawConfigParser(default_section="")
    parser.read_string(text)
    assert parser.sections() == ["unity-dev"]
    assert parser["unity-dev"]["aws_secret_access_key"] == value
    assert as_botocore_reads(text, tmp_path, "unity-dev") == ("ASIAEXAMPLE", value, "of-session", "us-west-2")
