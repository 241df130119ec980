"""Where ``venue-access-credentials`` keeps its answers, and how long one is good."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import pytest

from venue_access.accounts.credential_cache import answer_file, still_good

HOME = {"HOME": "/of-x"}
ANSWER = '{"Version": 1, "SessionToken": "t", "Expiration": "2026-11-20T22:15:00Z"}\n'


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=timezone.utc).timestamp()


def test_each_question_has_a_file_of_its_own_that_stays_in_the_folder() -> None:
    asked = [
        ["--venue", "a"],
        ["--venue", "b"],
        ["--venue=a"],
        ["--venue", "../../x"],
        ["--venue", "a", "--user", "b" * 300],
    ]
    found = [answer_file(each, HOME) for each in asked]
    assert len(set(found)) == len(asked)
    for path in found:
        assert path is not None
        assert Path(path).parent == Path("/of-x/.cache/venue-access")
        assert len(Path(path).name) < 255


def test_it_depends_on_the_inventory_and_on_where_one_stands() -> None:
    other = answer_file(["--venue", "a"], {**HOME, "INVOKE_INVENTORY": "/elsewhere"})
    assert answer_file(["--venue", "a"], HOME) != other
    assert answer_file([], HOME) is None
    assert answer_file(["--venue", "a"], {"HOME": "relative"}) is None


@pytest.mark.parametrize(
    ("now", "good"), [("2026-11-20T22:09:59", True), ("2026-11-20T22:10:00", False), ("2026-11-21T00:00:00", False)]
)
def test_an_answer_is_good_until_five_minutes_before_its_end(tmp_path: Path, now: str, good: bool) -> None:
    kept = tmp_path / "kept"
    kept.touch(mode=0o600)
    kept.write_text(ANSWER)
    assert still_good(str(kept), at(now)) == (ANSWER if good else None)


@pytest.mark.parametrize("text", ["", ANSWER[:40], ANSWER[:-1], "{}\n", ANSWER.replace("Expiration", "Expires")])
def test_what_is_cut_off_or_something_else_is_none(tmp_path: Path, text: str) -> None:
    kept = tmp_path / "kept"
    kept.touch(mode=0o600)
    kept.write_text(text)
    assert still_good(str(kept), at("2026-11-20T20:00:00")) is None


def test_what_others_can_read_or_a_link_is_none(tmp_path: Path) -> None:
    kept, link = tmp_path / "kept", tmp_path / "link"
    kept.touch(mode=0o600)
    kept.write_text(ANSWER)
    link.symlink_to(kept)
    assert still_good(str(link), at("2026-11-20T20:00:00")) is None
    kept.chmod(0o640)
    assert still_good(str(kept), at("2026-11-20T20:00:00")) is None
    assert still_good(str(tmp_path / "absent"), at("2026-11-20T20:00:00")) is None
