"""A profile is put into a configuration without touching anything else in it."""

from __future__ import annotations

import shlex

import pytest

from venue_access.errors import RequestError
from venue_access.own_keys.profile_writer import Profile, with_profile

OURS = Profile("desk", ["/with space/venue-access-credentials", "--venue", "it's"], "us-west-2")


@pytest.mark.parametrize(
    "text", ["", "[default]\nregion = eu-west-1\n", "# no line's end", "[profile desk2]\r\na=b\r\n"]
)
def test_it_is_added_at_the_end_and_the_rest_stays_to_the_letter(text: str) -> None:
    written = with_profile(text, OURS)
    assert written.startswith(text)
    assert written.endswith(f"[profile desk]\n{OURS.text().partition(chr(10))[2]}")
    assert with_profile(written, OURS) == written


def test_one_of_ours_is_replaced_where_it_stands() -> None:
    before = with_profile("[default]\n", Profile("desk", OURS.command, "eu-west-1")) + "\n[profile last]\nregion = x\n"
    after = with_profile(before, OURS)
    assert after == before.replace("region = eu-west-1", "region = us-west-2")


@pytest.mark.parametrize("header", ["[profile desk]", '[profile "desk"]', "[ profile  desk ]"])
def test_somebody_elses_of_that_name_is_refused(header: str) -> None:
    with pytest.raises(RequestError, match="is there already"):
        with_profile(f"{header}\nregion = us-east-1\n", OURS)


def test_the_command_is_one_for_tools_that_split_it_and_for_those_that_use_a_shell() -> None:
    line = OURS.text().splitlines()[1].removeprefix("credential_process = ")
    assert shlex.split(line) == list(OURS.command)


@pytest.mark.parametrize("name", ["", "a b", "x]\n[default", "-" * 65, "naïve"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(RequestError, match="cannot be a profile's"):
        Profile(name, OURS.command, "us-west-2")
