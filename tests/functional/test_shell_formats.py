"""What the formats and ``scripts/sts2env`` write for bash, dash, zsh and fish, loaded by these and read back."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import mkdtemp

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.functional.kit import CHECKOUT
from tests.functional.shells import (
    ALL_EXPORTED,
    DOT,
    FISH_EVAL,
    FISH_SOURCE,
    KEPT,
    QUOTED,
    STALE,
    SUBSTITUTION,
    UNQUOTED,
    a_token,
    environments,
)
from tests.stacks import a_venue
from venue_access.accounts.session import UNSET, statements
from venue_access.aws.client import Endpoint
from venue_access.tokens.formats import FormatOptions, aws_json, find_format, token_formatter
from venue_access.tokens.shell_formats import ENDPOINT_VARIABLES, SHELLS

STS2ENV = CHECKOUT / "scripts" / "sts2env"

HOSTILE = (
    "as/AWS+issues==",
    "a  b\tc",
    " at both ends ",
    "two\nlines",
    "line breaks at the end\n\n",
    "\n",
    "\r\n",
    "'",
    '"',
    "''\"\"'\"'\"",
    "\\",
    "a trailing backslash\\",
    "\\\\n\\x41\\052\\'",
    "$(touch pwned)",
    "`touch pwned`",
    "(touch pwned)",
    "';touch pwned;'",
    "x; touch pwned #",
    "${HOME}$HOME$$",
    "!!",
    "!history!$",
    "%PATH%",
    "%s%n%%",
    "*",
    " * ",
    "?",
    "[a-z]*",
    "{a,b}",
    "~",
    "~root",
    ":~:~",
    "=ls",
    "-n",
    "--",
    "#comment",
    "a(b|c)<d>^e&f",
    "52\u00e9\u2018\u2019\u4e2d\u6587 \U0001f511",
    "\x01\x07\x1b[31m\x7f",
)
"""What AWS does not issue, and what a shell would make something of."""

values = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(st.sampled_from("'\"\\$`(){}[]*?!%~#;&|<>=- \t\r\n./:@,^0123456789nx\u00e9\u2019\u2028"), min_size=1),
    st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), min_size=1),
)
batches = st.lists(values, min_size=5, max_size=40)
thorough = settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

UNQUOTING = (
    "bash",
    "dash",
    "zsh",
    "bash -O nullglob",
    "bash -O failglob -O extglob",
    "zsh -o globsubst -o extendedglob",
    "zsh --emulate sh",
    "bash -eu",
)
"""Shells with the options that make most of words which nobody quoted."""


def loaded(value: str, region: str | None = "us-west-2") -> dict[str, str]:
    """All that a child is to find, with no stale variable left; without a region the one that was there stays."""
    regions = {"AWS_REGION": STALE["AWS_REGION"]}
    if region is not None:
        regions = {"AWS_REGION": region, "AWS_DEFAULT_REGION": region}
    return {
        "AWS_ACCESS_KEY_ID": value,
        "AWS_SECRET_ACCESS_KEY": value,
        "AWS_SESSION_TOKEN": value,
        "AWS_CREDENTIAL_EXPIRATION": "2026-11-20T22:15:00Z",
        **regions,
        **KEPT,
    }


def by_format(name: str, given: Sequence[str]) -> list[str]:
    """The tokens of these values in a format."""
    write = token_formatter(name, a_venue()).text
    return [write(a_token(value)) for value in given]


def by_sts2env(shell: str, given: Sequence[str]) -> list[str]:
    """What ``sts2env`` makes of these values; all in one process, as starting it 40 times takes a second."""
    script = (
        "import importlib.machinery, importlib.util, json, sys\n"
        "loader = importlib.machinery.SourceFileLoader('sts2env', sys.argv[1])\n"
        "sts2env = importlib.util.module_from_spec(importlib.util.spec_from_loader('sts2env', loader))\n"
        "loader.exec_module(sts2env)\n"
        "texts = [sts2env.SHELLS[sys.argv[2]](sts2env.loading(each.encode())) for each in json.load(sys.stdin)]\n"
        "json.dump(texts, sys.stdout)\n"
    )
    documents = json.dumps([json.dumps(aws_json(a_token(value))) for value in given])
    done = subprocess.run(
        [sys.executable, "-B", "-c", script, str(STS2ENV), shell],
        input=documents,
        capture_output=True,
        text=True,
        check=True,
    )
    texts: list[str] = json.loads(done.stdout)
    return texts


def a_folder(tmp_path: Path) -> Path:
    """An empty folder for a shell to stand in; a new one for each example."""
    return Path(mkdtemp(dir=tmp_path))


# -- every value comes back as it was --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "shell", "way"),
    [
        *(("env", shell, way) for shell in ("bash", "dash", "zsh") for way in (QUOTED, DOT)),
        *(("env", shell, SUBSTITUTION) for shell in ("bash", "zsh")),
        ("fish", "fish", FISH_SOURCE),
        ("fish", "fish", FISH_EVAL),
    ],
)
@thorough
@example(batch=list(HOSTILE))
@given(batch=batches)
def test_shell_format_round_trip(name: str, shell: str, way: str, batch: list[str], tmp_path: Path) -> None:
    found = environments(shell, way, by_format(name, batch), a_folder(tmp_path))
    assert found == [loaded(value) for value in batch]


@pytest.mark.parametrize("shell", ["bash", "dash", "zsh"])
@thorough
@example(batch=list(HOSTILE))
@given(batch=batches)
def test_assignments_without_export_round_trip(shell: str, batch: list[str], tmp_path: Path) -> None:
    found = environments(shell, ALL_EXPORTED, by_format("env-no-export", batch), a_folder(tmp_path))
    assert found == [{**STALE, **loaded(value)} for value in batch]


@pytest.mark.parametrize(
    ("shell", "way"),
    [
        *((shell, UNQUOTED) for shell in UNQUOTING),
        *((shell, QUOTED) for shell in ("bash", "dash", "zsh")),
        *((shell, SUBSTITUTION) for shell in ("bash", "zsh")),
        ("fish", FISH_SOURCE),
        ("fish", FISH_EVAL),
    ],
)
@thorough
@example(batch=list(HOSTILE))
@given(batch=batches)
def test_sts2env_round_trip(shell: str, way: str, batch: list[str], tmp_path: Path) -> None:
    texts = by_sts2env(shell.split()[0], batch)
    found = environments(shell, way, texts, a_folder(tmp_path))
    assert found == [loaded(value, region=None) for value in batch]


@pytest.mark.parametrize("shell", ["bash", "dash", "zsh"])
def test_env_format_survives_unquoted_eval(shell: str, tmp_path: Path) -> None:
    value = "FwoGZXIvYXdzEBYaD/+a=="
    found = environments(shell, UNQUOTED, by_format("env", [value]), a_folder(tmp_path))
    assert found == [loaded(value)]


@pytest.mark.parametrize(("shell", "way"), [("bash", UNQUOTED), ("dash", UNQUOTED), ("zsh", UNQUOTED), ("fish", DOT)])
def test_unset_removes_every_aws_variable(shell: str, way: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [STS2ENV, "--unset", "--shell", shell],
        env={
            **STALE,
            **KEPT,
            "PATH": "/usr/bin:/bin",
            "AWS_$(touch pwned)": "x",
            "VENUE_ACCESS_OWN_AWS_CA_BUNDLE": "x",
        },
        capture_output=True,
        text=True,
        check=True,
    )
    assert "pwned" not in done.stdout
    assert "VENUE_ACCESS_OWN_AWS_CA_BUNDLE" in done.stdout
    assert environments(shell, way, [done.stdout], a_folder(tmp_path)) == [{"CANARY": KEPT["CANARY"]}]


# -- the endpoint of the emulator ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shell", "way", "name"),
    [
        *((shell, way, "env") for shell in ("bash", "dash", "zsh", "bash -eu") for way in (QUOTED, DOT)),
        *((shell, UNQUOTED, "env") for shell in ("bash", "dash", "zsh", "bash -O failglob -O extglob")),
        ("fish", FISH_SOURCE, "fish"),
        ("fish", FISH_EVAL, "fish"),
    ],
)
def test_own_endpoint_and_ca_bundle_are_restored(shell: str, way: str, name: str, tmp_path: Path) -> None:
    ca_file, own = "/emulator/ca.pem", "/own/proxy-ca.pem"
    if way != UNQUOTED:
        ca_file, own = f'/it\'s $(touch pwned) "*"{ca_file}', f"/own  `touch pwned` * '\\/{own}"
    value = "FwoGZXIvYXdzEBYaD/+a=="
    endpoints = [Endpoint("https://127.0.0.1:1", Path(ca_file)), Endpoint("https://127.0.0.1:2", Path("/x")), None]
    write = find_format(name).write
    local, other, remote = (write(a_token(value), FormatOptions("us-west-2", "x", endpoint=each)) for each in endpoints)
    clear = statements(UNSET, name)

    known = SHELLS[name]
    mine, endpoint = (known.statement(each, own) for each in ("AWS_CA_BUNDLE", "AWS_ENDPOINT_URL"))
    fresh = [  # one fish runs all the texts
        known.statement(f"{prefix}{each}", None)
        for prefix in ("", "VENUE_ACCESS_", "VENUE_ACCESS_OWN_")
        for each in ENDPOINT_VARIABLES
    ]
    token = loaded(value)
    emulator = {"AWS_ENDPOINT_URL": "https://127.0.0.1:1", "AWS_CA_BUNDLE": ca_file}
    kept = {**token, "AWS_CA_BUNDLE": own}
    expected: list[tuple[list[str], dict[str, str]]] = [
        ([local], {**token, **emulator, **{f"VENUE_ACCESS_{each}": value for each, value in emulator.items()}}),
        ([remote], token),
        ([local, remote], token),
        ([local, other, local, remote], token),
        ([mine, remote], kept),
        ([mine, local, remote], kept),
        ([mine, local, other, local, remote], kept),
        ([local, mine, remote], kept),
        ([mine, local, remote, local, remote, remote], kept),
        ([mine, endpoint, local, remote], {**kept, "AWS_ENDPOINT_URL": own}),
        ([local, clear], KEPT),
        ([mine, local, clear, clear], {**KEPT, "AWS_CA_BUNDLE": own}),
    ]
    texts = ["\n".join([*fresh, *each]) for each, _ in expected]
    found = environments(shell, way, texts, a_folder(tmp_path))
    assert [_told(each) for each in found] == [_told(each) for _, each in expected]


def _told(found: dict[str, str]) -> dict[str, str]:
    """Without what is empty, which fish saves of a variable that is not there."""
    return {name: value for name, value in found.items() if value}
