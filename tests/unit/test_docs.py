"""The documents, compared with the program."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import tasks
from scripts import docs
from tests.stacks import a_venue
from venue_access import __version__, errors
from venue_access.audit.report import Report
from venue_access.errors import InventoryError, VenueAccessError
from venue_access.inventory.documents import parse
from venue_access.inventory.loader import load_inventory
from venue_access.inventory.model import StateBackend, Venue
from venue_access.inventory.patterns import select
from venue_access.inventory.schema import VARIABLES as DECLARED
from venue_access.inventory.venues import build_venues
from venue_access.provisioning.results import Rotation, VenueResult
from venue_access.provisioning.status import VenueStatus
from venue_access.provisioning.venue_snapshot import Stage

CHECKOUT = Path(__file__).resolve().parents[2]
DOCUMENTS = [*CHECKOUT.glob("*.md"), *(CHECKOUT / "docs").glob("*.md")]


def text(name: str) -> str:
    return (CHECKOUT / name).read_text(encoding="utf-8")


def table(document: str, heading: str) -> list[list[str]]:
    """The rows of the first table after a heading."""
    lines = text(document).split(f"{heading}\n", 1)[1].splitlines()
    rows = [line for line in lines[: _end_of_table(lines)] if line.startswith("|")]
    cells = ([cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in rows[2:])
    return [[cell.replace("\\|", "|") for cell in row] for row in cells]


def _end_of_table(lines: list[str]) -> int:
    start = next(number for number, line in enumerate(lines) if line.startswith("|"))
    return next((n for n in range(start, len(lines)) if not lines[n].startswith("|")), len(lines))


def blocks(document: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text(document), re.DOTALL | re.MULTILINE)


def bare(cell: str) -> str:
    """What stands in backticks."""
    return cell.strip("`")


# -- commands --------------------------------------------------------------------------------------------------------


def test_command_reference_matches_the_program() -> None:
    assert text("docs/commands.md") == docs.reference(), "run: scripts/docs > docs/commands.md"


def test_reference_describes_output_of_every_command() -> None:
    assert set(docs.STDOUT) == set(tasks.namespace.task_names)


@pytest.mark.parametrize(
    ("command", "document"),
    [
        ("provision", {"venues": {"NAME": VenueResult(a_venue()).document()}}),
        ("rotate-external-id", Rotation(a_venue(), Stage.STABLE, Stage.STABLE, [], rotated=True).document()),
        ("status", {"venues": {"NAME": VenueStatus(a_venue(), Stage.STABLE, external_id_age=timedelta()).document()}}),
        ("verify", Report(a_venue(), ()).document()),
    ],
)
def test_reference_lists_json_keys(command: str, document: dict[str, Any]) -> None:
    written = re.search(r"one document: `([^`]+)`", docs.STDOUT[command])
    assert written
    assert written[1] == _keys(document)


def _keys(document: dict[str, Any]) -> str:
    parts = (f"{key}: {_keys(value)}" if isinstance(value, dict) else key for key, value in document.items())
    return "{" + ", ".join(parts) + "}"


def commands() -> Iterator[tuple[str, str]]:
    """The ``invoke`` commands that the documents show: in blocks, in tables and in the text."""
    for document in DOCUMENTS:
        for line in re.findall(r"`(invoke [^`]+)`|^\$ (invoke .*)$", document.read_text("utf-8"), re.MULTILINE):
            yield document.name, "".join(line)


def test_documented_commands_and_flags_exist() -> None:
    for document, line in commands():
        words = shlex.split(line.split(" | ")[0], comments=True)[1:]
        while words and words[0].startswith("--"):  # Invoke's own: --list, --help, --dry, --search-root
            words = words[2:] if words[0] in ("--search-root", "--help") else words[1:]
        if not words:
            continue
        name, *flags = words[: words.index("--")] if "--" in words else words  # what follows is exec's
        assert name in tasks.namespace.task_names, f"{document}: {line}"
        known = {f"--{each}" for argument in docs.arguments_of(name) for each in argument.names}
        shown = {flag.split("=")[0] for flag in flags if flag.startswith("--")}
        assert shown <= known, f"{document}: {line}"


# -- exit codes ------------------------------------------------------------------------------------------------------


def test_exit_codes_match_the_errors() -> None:
    listed: dict[int, set[str]] = {
        int(code): set(re.findall(r"`(\w+)`", names)) for code, names, *_ in table("docs/exit-codes.md", "# Exit codes")
    }
    actual: dict[int, set[str]] = {0: set(), 1: set()}
    for name, value in vars(errors).items():
        if isinstance(value, type) and issubclass(value, VenueAccessError) and value is not VenueAccessError:
            actual.setdefault(value.exit_code, set()).add(name)
    assert listed == actual


# -- the inventory ---------------------------------------------------------------------------------------------------

VARIABLES = {bare(row[0]): row[1:] for row in table("docs/inventory.md", "## Variables of a venue")}
LEAST = {
    "project": "unity",
    "account_id": "111122223333",
    "region": "us-west-2",
    "trusted_principals": ["arn:aws:iam::111122223333:role/venue-operator"],
}
IN_WORDS = {
    "venue": ("venue", "dev"),
    "s3_buckets": ("datastore_parameter", "/unity/unity/dev/ds/datastore-bucket"),
    "ecr_repository_prefixes": ("ecr_repository_prefixes", ("unity-dev/",)),
    "partition": ("partition", "aws"),
    "stack": ("stack", "unity-dev"),
}
"""Defaults that the table tells in words: where they show in ``unity-dev``, and as what."""


def read(folder: Path, **variables: Any) -> Venue:
    """The venue ``unity-dev`` with these variables, as the program reads it."""
    host = {**LEAST, **variables}
    (folder / "hosts.json").write_text(json.dumps({"all": {"hosts": {"unity-dev": host, "unity-01": None}}}))
    (folder / "host_vars").mkdir(exist_ok=True)
    (folder / "host_vars" / "unity-01.json").write_text(json.dumps(LEAST))
    return build_venues(load_inventory(folder / "hosts.json"))["unity-dev"]


def test_table_of_variables_is_generated() -> None:
    assert docs.with_variables(text("docs/inventory.md")) == text("docs/inventory.md"), "run: scripts/docs variables"
    assert tuple(VARIABLES) == DECLARED


@pytest.mark.parametrize("name", VARIABLES)
def test_documented_defaults_match_the_program(name: str, tmp_path: Path) -> None:
    default = VARIABLES[name][1]
    if default.startswith("required"):
        with pytest.raises(InventoryError, match=f"{name}: is required"):
            read(tmp_path, **{name: None})
        return
    venue = read(tmp_path)
    if name in IN_WORDS:
        attribute, value = IN_WORDS[name]
        assert getattr(venue, attribute) == value
        return
    actual = getattr(venue, name)
    expected = None if default == "none" else parse(bare(default))
    if isinstance(expected, dict) and "backend" in expected:
        expected = StateBackend(**expected)
    assert (list(actual) if isinstance(actual, tuple) else actual) == expected


@pytest.mark.parametrize("name", VARIABLES)
def test_documented_examples_are_valid(name: str, tmp_path: Path) -> None:
    example = parse(f"value: {bare(VARIABLES[name][3])}")["value"]
    others: dict[str, Any] = {}
    if name == "region":  # of another partition
        others["trusted_principals"] = ["arn:aws-us-gov:iam::111122223333:role/venue-operator"]
    if name == "emulator_seed":
        others["emulator"] = True
    venue = read(tmp_path, **{**others, name: example})
    assert getattr(venue, name) is not None


def test_documented_parts_of_users_and_state_are_valid(tmp_path: Path) -> None:
    users, state = (block for block in blocks("docs/inventory.md", "yaml") if block.startswith(("users", "state")))
    venue = read(tmp_path, **parse(users), **parse(state))
    assert set(venue.users) == {"alice", "bob", "carol"}
    assert venue.state.backend == "s3"


def test_documented_limit_patterns_are_valid(tmp_path: Path) -> None:
    groups = {name: {"hosts": dict.fromkeys(hosts)} for name, hosts in {
        "unity": ["unity-dev", "unity-test", "unity-prod", "unity-01", "unity-ada"],
        "sounder": ["sounder-dev"],
        "govcloud": ["unity-prod"],
    }.items()}  # fmt: skip
    (tmp_path / "hosts.json").write_text(json.dumps({"all": {"children": groups}}))
    inventory = load_inventory(tmp_path / "hosts.json")
    rows = table("docs/inventory.md", "`--limit` takes Ansible's patterns:")
    patterns = [pattern for row in rows for pattern in re.findall(r"`([^`]+)`", row[0]) if not pattern.startswith("@")]
    assert len(patterns) > 10
    for pattern in patterns:
        chosen = select(inventory, pattern)
        assert chosen.hosts, pattern
        assert not chosen.unmatched, pattern


def test_quoted_errors_exist(tmp_path: Path) -> None:
    (tmp_path / "hosts.yml").write_text(
        "all:\n  vars:\n    region: us-west-2\n  children:\n    unity:\n      hosts:\n        unity-dev:\n"
        "          s3_buckets: unity-dev-data\n        unity-test:\n        unity-prod:\n"
    )
    (tmp_path / "group_vars").mkdir()
    (tmp_path / "group_vars" / "unity.yml").write_text(
        f"project: unity\naccount_id: 012345670123\ntrusted_principals: {LEAST['trusted_principals']}\n"
    )
    with pytest.raises(InventoryError) as raised:
        build_venues(load_inventory(tmp_path))
    quoted = next(block for block in blocks("docs/inventory.md", "text") if block.startswith("error:"))
    assert f"error: {raised.value}\n".replace(str(tmp_path), "venues") == quoted


# -- all of them -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", document.read_text(encoding="utf-8")):
        if target.startswith("https://"):
            continue
        path, _, anchor = target.partition("#")
        file = (document.parent / path) if path else document
        assert file.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_named_files_exist(document: Path) -> None:
    folders = "docs|inventory|scripts|templates|terraform|tests|venue_access|requirements"
    for name in re.findall(rf"`((?:{folders})/[\w./-]*)`", document.read_text(encoding="utf-8")):
        assert (CHECKOUT / name).exists() or (CHECKOUT / "venue_access" / name).exists(), name


def test_changelog_has_this_version() -> None:
    assert f"To become {__version__}." in text("CHANGELOG.md") or f"## [{__version__}]" in text("CHANGELOG.md")
