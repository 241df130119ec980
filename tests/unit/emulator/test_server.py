"""The files of the AWS emulator's server."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.stacks import a_venue
from venue_access.emulator import server
from venue_access.emulator.server import AwsEmulator, fingerprint


def test_it_is_seeded_for_the_venues_that_its_file_has(tmp_path: Path) -> None:
    emulator, venues = AwsEmulator(tmp_path), [a_venue(), a_venue(name="unity-test", venue="test")]
    assert not emulator.is_seeded(venues)
    emulator.seeded.write_text(fingerprint(venues))
    assert emulator.is_seeded(venues)
    assert not emulator.is_seeded(venues[:1])
    assert not emulator.is_seeded([venues[0], a_venue(name="unity-test", venue="test", s3_buckets=("another",))])


def test_it_is_seeded_again_after_the_kits_policies_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    template = tmp_path / "policies" / "operator.json.j2"
    template.parent.mkdir()
    template.write_text("{}")
    monkeypatch.setattr(server, "assets", lambda name: tmp_path)
    before = fingerprint([a_venue()])
    os.utime(template, (0, 0))
    assert fingerprint([a_venue()]) != before
