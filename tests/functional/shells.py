"""Real shells, made to load statements and asked what a child of theirs then has in its environment."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path

import pytest

from venue_access.aws.client import AssumedRole, Credentials
from venue_access.sensitive import Secret

TRAPS = ("*", "a", "'a'", "b;", "\\", "export", "AWS_ACCESS_KEY_ID='a';", "AWS_SESSION_TOKEN='a")
"""Files where the shell stands, for a pattern that should not be one to match."""

STALE = dict.fromkeys(
    [
        "AWS_PROFILE",
        "AWS_DEFAULT_PROFILE",
        "AWS_SECURITY_TOKEN",
        "AWS_ACCESS_KEY",
        "AWS_SECRET_KEY",
        "AWS_DELEGATION_TOKEN",
        "AWS_SESSION_TOKEN",
        "AWS_REGION",
    ],
    "stale",
)
"""What an earlier set of credentials has left in the environment."""
KEPT = {"AWS_PAGER": "less -R", "CANARY": "alive"}
"""What has nothing to do with credentials."""

QUOTED, UNQUOTED, DOT = 'eval "$(cat {file})"', "eval $(cat {file})", ". {file}"
SUBSTITUTION = "source <(cat {file})"
ALL_EXPORTED = "set -a; . {file}; set +a"
FISH_SOURCE, FISH_EVAL = "cat {file} | source", "eval (cat {file})"
"""Ways in which people load statements."""


def a_token(value: str) -> AssumedRole:
    """A token all of whose parts that AWS makes up are ``value``."""
    until = datetime(2026, 11, 20, 22, 15, tzinfo=timezone.utc)
    return AssumedRole("arn", "AROA:a", Credentials(value, Secret(value), Secret(value)), until)


def need(shell: str) -> None:
    """Skip the test where there is no such shell; .ci/run installs them all."""
    if shutil.which(shell.split()[0]) is None:
        pytest.skip(f"{shell} is not installed: .ci/run does that")


def environments(shell: str, way: str, texts: Sequence[str], folder: Path) -> list[dict[str, str]]:
    """What a child has in its environment after each text was loaded; one shell runs them all, each on its own.

    :param shell: a command with its options.
    """
    need(shell)
    for name in TRAPS:
        (folder / name).touch()
    steps = []
    for number, text in enumerate(texts):
        file = folder.parent / f"{folder.name}-{number}"
        file.write_bytes(text.encode() + b"\n")
        load = way.format(file=shlex.quote(str(file)))
        # Of what is printed only what follows the mark counts: a text may be so wrong that it prints.
        steps.append(_alone(shell, f"{load}\n{_SHOW}"))
    script = folder.parent / f"{folder.name}-script"
    script.write_text("\n".join(steps), encoding="utf-8")
    done = subprocess.run(
        [*shell.split(), str(script)],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "LC_ALL": "C.UTF-8", **STALE, **KEPT},
        capture_output=True,
        timeout=120,
    )
    assert not done.stderr, done.stderr.decode(errors="replace")
    assert {file.name for file in folder.iterdir()} - {".config", ".local", ".cache"} == set(TRAPS), "something ran"
    shown = [_parsed(part) for part in done.stdout.split(_MARK)[1:]]
    assert len(shown) == len(texts), done.stdout
    return shown


_MARK = b"the environment:\0"
_SHOW = "printf 'the environment:\\0'; env -0"


def _alone(shell: str, step: str) -> str:
    """A step that leaves nothing for the next: in a subshell, or in fish with the stale variables set again."""
    if not shell.startswith("fish"):
        return f"(\n{step}\n)"
    return "\n".join([*(f"set -gx {name} {value}" for name, value in STALE.items()), step])


def _parsed(shown: bytes) -> dict[str, str]:
    variables = (entry.decode().partition("=")[::2] for entry in shown.split(b"\0") if entry)
    return {name: value for name, value in variables if name.startswith(("AWS_", "VENUE_ACCESS_")) or name in KEPT}
