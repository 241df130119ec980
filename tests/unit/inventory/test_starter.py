"""``inventory.init``: the inventory to start with."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import jsonschema
import pytest

from venue_access.errors import UsageError
from venue_access.inventory.documents import parse
from venue_access.inventory.loader import load_inventory
from venue_access.inventory.starter import write_starter
from venue_access.inventory.venues import build_venues, inventory_warnings, venue_warnings


@pytest.mark.parametrize("emulator", [True, False])
def test_starter_is_valid_without_warnings(tmp_path: Path, emulator: bool) -> None:
    write_starter(tmp_path / "new", emulator=emulator, program="invoke")
    read = load_inventory(tmp_path / "new")
    venues = build_venues(read)
    assert {name: venue.emulator for name, venue in venues.items()} == {"unity-dev": emulator}
    assert not [*inventory_warnings(read), *venue_warnings(read, venues.values())]


@pytest.mark.parametrize("emulator", [True, False])
def test_its_files_name_a_schema_that_they_satisfy(tmp_path: Path, emulator: bool) -> None:
    write_starter(tmp_path, emulator=emulator, program="invoke")
    for name in ("group_vars/unity.yml", "host_vars/unity-dev.yml"):
        text = (tmp_path / name).read_text(encoding="utf-8")
        first, _, _ = text.partition("\n")
        schema = (tmp_path / name).parent / first.removeprefix("# yaml-language-server: $schema=")
        jsonschema.validate(parse(text), json.loads(schema.read_text(encoding="utf-8")))


def test_comments_name_the_program(tmp_path: Path) -> None:
    write_starter(tmp_path, emulator=False, program="venue-access")
    assert "venue-access inventory.check" in (tmp_path / "hosts.yml").read_text(encoding="utf-8")


def test_files_are_private(tmp_path: Path) -> None:
    write_starter(tmp_path / "new", emulator=False, program="invoke")
    assert {stat.S_IMODE(each.stat().st_mode) for each in (tmp_path / "new").rglob("*.*") if each.is_file()} == {0o600}


def test_existing_inventory_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "hosts.yml").write_text("all:\n", encoding="utf-8")
    with pytest.raises(UsageError, match="not an empty folder"):
        write_starter(tmp_path, emulator=False, program="invoke")
    assert [each.name for each in tmp_path.iterdir()] == ["hosts.yml"]


def test_file_in_its_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "new").write_text("", encoding="utf-8")
    with pytest.raises(UsageError, match="not an empty folder"):
        write_starter(tmp_path / "new", emulator=False, program="invoke")
