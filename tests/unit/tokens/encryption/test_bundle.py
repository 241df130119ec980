"""The content of an encrypted file: archive, message, instructions; and passphrases."""

from __future__ import annotations

import email
import email.policy
import io
import shutil
import subprocess
import tarfile
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from tests.stacks import a_venue
from venue_access.inventory.model import Recipient
from venue_access.policies.session import TokenScope
from venue_access.policies.session_file import PolicyFile
from venue_access.sensitive import Secret
from venue_access.tokens.encryption.age import generate_passphrase
from venue_access.tokens.encryption.bundle import Bundle, external_id_instructions, token_instructions

NOW = datetime(2026, 11, 20, 21, 15, tzinfo=timezone.utc)
UNTIL = datetime(2026, 11, 20, 22, 15, tzinfo=timezone.utc)
SESSION = "alice-20261120T211500Z-3f9c21ab"
TOKEN_JSON = (
    '{\n    "Credentials": {\n        "AccessKeyId": "ASIA1",\n        "SecretAccessKey": "a/b+c&d",\n'
    f'        "SessionToken": "{"x" * 1500}=="\n    }}\n}}\n'
)
BUNDLE = Bundle(SESSION, "Your access to unity-dev", "Grüße: the instructions\n", "token.json", Secret(TOKEN_JSON), NOW)


def instructions(timezone: str | None = None, scope: TokenScope | None = None, **variables: Any) -> str:
    venue, alice = replace(a_venue(), **variables), Recipient("alice", timezone=timezone)
    return token_instructions(venue, alice, session=SESSION, expires=UNTIL, scope=scope)


def test_archive_unpacks_into_a_private_folder() -> None:
    with tarfile.open(fileobj=io.BytesIO(BUNDLE.tar())) as archive:
        assert [(each.name, each.mode) for each in archive] == [
            (SESSION, 0o700),
            (f"{SESSION}/README.txt", 0o600),
            (f"{SESSION}/token.json", 0o600),
        ]
        token = archive.extractfile(f"{SESSION}/token.json")
        assert token is not None
        assert token.read().decode() == TOKEN_JSON


def test_message_has_instructions_as_text_and_the_token_attached() -> None:
    raw = BUNDLE.mime()
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    assert b"\n" not in raw.replace(b"\r\n", b"")
    message = email.message_from_bytes(raw, policy=email.policy.default)
    text, token = message.iter_parts()
    assert text.get_content().replace("\r\n", "\n") == BUNDLE.instructions
    assert (token.get_filename(), token.get_content_type()) == ("token.json", "application/json")
    assert token.get_content().decode() == TOKEN_JSON


def test_repr_does_not_show_the_content() -> None:
    assert "a/b+c" not in repr(BUNDLE)


def test_instructions_give_the_expiration_in_the_recipients_time_zone() -> None:
    assert "  2026-11-20 22:15 UTC\n  2026-11-21 07:15 JST where you are (Asia/Tokyo)\n" in instructions("Asia/Tokyo")
    assert "  2026-11-20 22:15 UTC\n  It cannot be extended" in instructions()


def test_instructions_list_permissions_and_contact() -> None:
    assert "list, read and write files in s3://one and s3://two" in instructions(s3_buckets=("one", "two"))
    assert "list, read, write and delete files in s3://one" in instructions(s3_buckets=("one",), s3_allow_delete=True)
    assert "begin with\n    unity-dev/" in instructions()
    assert "  issuer@example.org. Name the token" in instructions(contact="issuer@example.org")
    assert "Ask the sender." in instructions()
    assert "issuer@example.org" in external_id_instructions(
        replace(a_venue(), contact="issuer@example.org"), Recipient("alice")
    )


def joined(scope: TokenScope, **variables: Any) -> str:
    """The instructions of a scoped token, their lines joined."""
    return " ".join(instructions(scope=scope, **{"s3_buckets": ("one",), **variables}).split())


def test_instructions_of_a_scoped_token_have_no_command_that_aws_refuses() -> None:
    reading = joined(TokenScope(read_only=True, s3_prefixes=("in/", "a b/")))
    assert "- list and read files in s3://one/in/ and s3://one/a b/ - pull images from the ECR repositories" in reading
    assert "aws s3 ls s3://one/in/ The first" in reading
    assert "docker pull 111122223333.dkr.ecr.us-west-2.amazonaws.com/unity-dev/my-tool:1.0 docker logout" in reading
    assert "docker push" not in reading
    assert "create-repository" not in reading
    assert "aws s3 ls 's3://one/a b/'" in joined(TokenScope(s3_prefixes=("a b/",)))

    containers = joined(
        TokenScope(no_s3=True, ecr_repositories=("unity-dev/a", "unity-dev/b"), source_cidrs=("::1/128",))
    )
    assert "- create ECR repositories (for containers) unity-dev/a and unity-dev/b, push" in containers
    assert "- all of this from ::1/128 only - nothing else" in containers
    assert "--repository-name unity-dev/a docker push" in containers
    assert "s3" not in containers

    several = joined(TokenScope(), ecr_repository_prefixes=("unity-dev/", "tropess/"))
    assert "whose names begin with unity-dev/ or tropess/, push" in several

    files = joined(TokenScope(no_ecr=True, s3_prefixes=("in/",)), s3_buckets=None)
    assert "in the folder in/ of the venue's data bucket - nothing else" in files
    assert "docker" not in files.lower()

    chosen = joined(TokenScope(policy=PolicyFile("scope.json", {})))
    assert "- a part of what the venue unity-dev offers, as scope.json defines it; ask which - nothing else" in chosen
    assert "aws s3" not in chosen


def test_docker_login_is_for_the_venues_partition() -> None:
    assert "111122223333.dkr.ecr.us-west-2.amazonaws.com\n" in instructions()
    china = instructions(partition="aws-cn", region="cn-north-1")
    assert "--password-stdin 111122223333.dkr.ecr.cn-north-1.amazonaws.com.cn\n" in china
    iso = instructions(partition="aws-iso-b", region="us-isob-east-1")
    assert "--password-stdin 111122223333.dkr.ecr.us-isob-east-1.sc2s.sgov.gov\n" in iso


@pytest.mark.parametrize("shell", ["bash", "dash", "zsh"])
def test_instructions_load_the_token_into_a_shell(shell: str, tmp_path: Path) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed: .ci/run does that")
    (tmp_path / "token.json").write_text(TOKEN_JSON)
    lines = instructions().split("on Linux and macOS:\n\n", 1)[1].split("\n\n  PowerShell", 1)[0]
    show = 'printf "%s\\n" "$AWS_ACCESS_KEY_ID" "$AWS_SECRET_ACCESS_KEY" "$AWS_SESSION_TOKEN" "$AWS_REGION"'
    script = f"AWS_PROFILE=stale\n{lines}\n{show} ${{AWS_PROFILE-unset}}"
    done = subprocess.run([shell, "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=20)
    assert done.stderr == ""
    assert done.stdout.splitlines() == ["ASIA1", "a/b+c&d", "x" * 1500 + "==", "us-west-2", "unset"]


def test_passphrase_has_eight_pronounceable_words() -> None:
    assert generate_passphrase(lambda count: bytes.fromhex("7f00000100000000ffff000000000000")[:count]).reveal() == (
        "lusab-babad-babab-babab-zuzuz-babab-babab-babab"
    )
    assert len({generate_passphrase().reveal() for _ in range(100)}) == 100
