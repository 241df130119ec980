"""The levels of the doctor."""

from __future__ import annotations

from datetime import timedelta

import pytest

from venue_access.doctor.checks import Check, Level, conclude, skew
from venue_access.errors import CheckFailed


@pytest.mark.parametrize(
    ("seconds", "level", "found"),
    [
        (0, Level.OK, "correct"),
        (-59, Level.OK, "59 s slow"),
        (61, Level.WARNING, "61 s fast"),
        (-300, Level.WARNING, "300 s slow"),
        (301, Level.ERROR, "301 s fast; AWS refuses requests"),
    ],
)
def test_skew_is_a_warning_after_a_minute_and_an_error_after_five(seconds: int, level: Level, found: str) -> None:
    check = skew(timedelta(seconds=seconds))
    assert (check.level, check.found) == (level, found)
    assert (check.remedy is None) == (level is Level.OK)


def test_remedy_is_below_the_line() -> None:
    check = Check("Terraform", "not there", Level.ERROR, "set it up")
    assert check.line() == "error    Terraform: not there\n         set it up"
    assert check.document() == {"what": "Terraform", "level": "error", "found": "not there", "remedy": "set it up"}


def test_only_errors_fail() -> None:
    conclude([Check("a", "b"), Check("a", "b", Level.WARNING)])
    with pytest.raises(CheckFailed, match="2 checks failed"):
        conclude([Check("a", "b", Level.ERROR), Check("a", "b", Level.ERROR)])
