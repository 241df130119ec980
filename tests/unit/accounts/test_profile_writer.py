"""Adding a profile to an AWS configuration changes nothing else in it."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from botocore.configloader import load_config

from venue_access.accounts.profile_writer import Profile, with_profile, write_profile
from venue_access.aws.client import Endpoint
from venue_access.errors import UsageError

OURS = Profile("issuer", ["/with space/venue-access-credentials", "--venue", "it's"], "us-west-2")


@pytest.mark.parametrize(
    "text", ["", "[default]\nregion = eu-west-1\n", "# no line's end", "[profile issuer2]\r\na=b\r\n"]
)
def test_profile_is_appended_and_the_rest_is_unchanged(text: str) -> None:
    written = with_profile(text, OURS)
    assert written.startswith(text)
    assert written.endswith(f"[profile issuer]\n{OURS.text().partition(chr(10))[2]}")
    assert with_profile(written, OURS) == written


def test_own_profile_is_replaced_in_place() -> None:
    before = (
        with_profile("[default]\n", Profile("issuer", OURS.command, "eu-west-1")) + "\n[profile last]\nregion = x\n"
    )
    after = with_profile(before, OURS)
    assert after == before.replace("region = eu-west-1", "region = us-west-2")


@pytest.mark.parametrize(
    "header",
    [
        "[profile issuer]",
        '[profile "issuer"]',
        "[ profile  issuer ]",
        "[profile issuer] # mine",
        "[profile issuer]; mine",
        "  [profile issuer]",
        "\t[profile issuer]\r",
        "[profiles issuer]",
    ],
)
def test_foreign_profile_of_that_name_is_refused(header: str) -> None:
    with pytest.raises(UsageError, match="was not written by the kit"):
        with_profile(f"{header}\nregion = us-east-1\n", OURS)


def test_command_works_with_and_without_a_shell() -> None:
    line = OURS.text().splitlines()[1].removeprefix("credential_process = ")
    assert shlex.split(line) == list(OURS.command)


@pytest.mark.parametrize("name", ["", "a b", "x]\n[default", "x" * 129, "-x", "naïve", "x\n"])
def test_invalid_profile_name_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="is not a name that every AWS tool accepts"):
        Profile(name, OURS.command, "us-west-2")


@pytest.mark.parametrize("name", ["default", "DEFAULT", "Default"])
def test_default_profile_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="every AWS tool without a profile"):
        Profile(name, OURS.command, "us-west-2")


@pytest.mark.parametrize("word", ["a\nregion = x", "a\r", "a #b", "\u2028", "a\x85", "\udcff", "\x1b[2J"])
def test_command_that_the_file_cannot_hold_is_refused(word: str) -> None:
    with pytest.raises(UsageError, match="cannot hold"):
        Profile("issuer", ["program", "--source-profile", word], "us-west-2")


REJECTED = {
    "[default]\n[default]\n": "config:2: duplicate section",
    "[profile issuer]\na = 1\na = 2\n": "config:3: duplicate setting",
    "\ufeff[default]\n": "config:1: a line before the first section",
    "[default]\ns3 =\n  a\n": r"config: \[default\] s3: an indented line without a =",
    "[default]\naws_secret_access_key\n": "config:2: a line that is neither a section nor a setting",
}


@pytest.mark.parametrize(("text", "why"), REJECTED.items())
def test_file_that_the_aws_cli_rejects_is_refused(text: str, why: str) -> None:
    with pytest.raises(UsageError, match=why) as raised:
        with_profile(text, OURS)
    assert "secret" not in str(raised.value)


def test_duplicate_profile_is_refused() -> None:
    with pytest.raises(UsageError, match="duplicate profile issuer"):
        with_profile(f"{OURS.text()}[profile 'issuer']\n", OURS)


@pytest.mark.parametrize("setting", ["role_arn", "source_profile", "aws_access_key_id", "sso_session"])
def test_default_section_that_overrides_credential_process_is_refused(setting: str) -> None:
    with pytest.raises(UsageError, match=rf"the section \[DEFAULT\] sets {setting}"):
        with_profile(f"[DEFAULT]\n{setting} = x\n", OURS)


KEPT = {
    "a comment with brackets": "[default] ; see [profile issuer]\nregion = x\n",
    "a nested setting": "[default]\ns3 =\n  [profile issuer] = x\n",
    "a setting of two lines": "[default]\nregion = x\n  [profile issuer]\n",
    "other line ends": "[default]\r\nregion = x\r\n",
    "old line ends": "[default]\rregion = x\r",
    "sections that are no profiles": "[issuer]\nregion = x\n[sso-session desk]\nsso_region = x\n[preview]\na = true\n",
    "harmless settings of all profiles": "[DEFAULT]\noutput = json\nregion = eu-west-1\n",
    "a comment after the profile": f"{OURS.text()}\n# of the next\n; one\n[profile next]\nregion = x\n",
    "quotes": "[profile 'a b']\nregion = x\n",
}


@pytest.mark.parametrize("text", KEPT.values(), ids=KEPT)
def test_botocore_reads_the_profile_and_the_rest_unchanged(text: str, tmp_path: Path) -> None:
    before, after = tmp_path / "before", tmp_path / "after"
    before.write_bytes(text.encode())
    after.write_bytes(with_profile(text, OURS).encode())
    read, was = load_config(str(after)), load_config(str(before))
    own = read["profiles"].pop("issuer")
    was["profiles"].pop("issuer", None)
    assert read == was
    assert shlex.split(own["credential_process"]) == list(OURS.command)
    assert own["region"] == "us-west-2"
    assert not [line for line in text.splitlines() if line.startswith(("#", ";")) and line not in after.read_text()]


def written_in(home: Path, profile: Profile = OURS, *, source: str | None = None) -> bool:
    return write_profile({}, home, profile, source=source)[1]


def test_overriding_section_of_credentials_file_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / ".aws"
    folder.mkdir(mode=0o700)
    (folder / "credentials").write_text("[issuer]  # mine\naws_access_key_id = x\n")
    with pytest.raises(UsageError, match=r"has a section \[issuer\], which overrides a profile"):
        written_in(tmp_path)
    assert not (folder / "config").exists()
    (folder / "credentials").write_text("[issuer2]\n")
    assert written_in(tmp_path)
    assert not written_in(tmp_path)


def test_source_profile_exists_and_is_another(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such profile"):
        written_in(tmp_path, source="work")
    with pytest.raises(UsageError, match="is the profile to write"):
        written_in(tmp_path, source="issuer")
    folder = tmp_path / ".aws"
    folder.mkdir(mode=0o700)
    (folder / "config").write_text("[profile 'my work']\n")
    assert written_in(tmp_path, source="my work")


def test_profile_has_the_venue_endpoint() -> None:
    there = Profile("issuer", OURS.command, "us-west-2", Endpoint("https://127.0.0.1:1", Path("/x y/ca.pem")))
    assert there.text().endswith("endpoint_url = https://127.0.0.1:1\nca_bundle = /x y/ca.pem\n")
