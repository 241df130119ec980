"""Where ``venue-access-credentials`` caches responses, and how long each is valid."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import pytest

from venue_access.accounts.credentials import cached_response, response_file

HOME = {"HOME": "/of-x"}
RESPONSE = '{"Version": 1, "SessionToken": "t", "Expiration": "2026-11-20T22:15:00Z"}\n'


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=timezone.utc).timestamp()


def test_each_request_has_its_own_file_in_the_folder() -> None:
    asked = [
        ["--venue", "a"],
        ["--venue", "b"],
        ["--venue=a"],
        ["--venue", "../../x"],
        ["--venue", "a", "--user", "b" * 300],
    ]
    found = [response_file(each, HOME) for each in asked]
    assert len(set(found)) == len(asked)
    for path in found:
        assert path is not None
        assert Path(path).parent == Path("/of-x/.cache/venue-access")
        assert len(Path(path).name) < 255


def test_file_depends_on_inventory_and_current_folder() -> None:
    other = response_file(["--venue", "a"], {**HOME, "INVOKE_INVENTORY": "/elsewhere"})
    assert response_file(["--venue", "a"], HOME) != other
    assert response_file([], HOME) is None
    assert response_file(["--venue", "a"], {"HOME": "relative"}) is None


@pytest.mark.parametrize(
    ("now", "valid"), [("2026-11-20T22:09:59", True), ("2026-11-20T22:10:00", False), ("2026-11-21T00:00:00", False)]
)
def test_response_is_valid_until_five_minutes_before_expiration(tmp_path: Path, now: str, valid: bool) -> None:
    kept = tmp_path / "kept"
    kept.touch(mode=0o600)
    kept.write_text(RESPONSE)
    assert cached_response(str(kept), at(now)) == (RESPONSE if valid else None)


@pytest.mark.parametrize("text", ["", RESPONSE[:40], RESPONSE[:-1], "{}\n", RESPONSE.replace("Expiration", "Expires")])
def test_truncated_or_malformed_response_is_ignored(tmp_path: Path, text: str) -> None:
    kept = tmp_path / "kept"
    kept.touch(mode=0o600)
    kept.write_text(text)
    assert cached_response(str(kept), at("2026-11-20T20:00:00")) is None


def test_readable_by_others_or_symbolic_link_is_ignored(tmp_path: Path) -> None:
    kept, link = tmp_path / "kept", tmp_path / "link"
    kept.touch(mode=0o600)
    kept.write_text(RESPONSE)
    link.symlink_to(kept)
    assert cached_response(str(link), at("2026-11-20T20:00:00")) is None
    kept.chmod(0o640)
    assert cached_response(str(kept), at("2026-11-20T20:00:00")) is None
    assert cached_response(str(tmp_path / "absent"), at("2026-11-20T20:00:00")) is None
