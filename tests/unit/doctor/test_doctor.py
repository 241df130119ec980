"""What the doctor makes of what it sees."""

from __future__ import annotations

from datetime import timedelta

import pytest

from venue_access.doctor.aws_checks import skew
from venue_access.doctor.check import Check, Grade, conclude
from venue_access.errors import CheckFailed


@pytest.mark.parametrize(
    ("seconds", "grade", "told"),
    [
        (0, Grade.GOOD, "right"),
        (-59, Grade.GOOD, "59 s slow"),
        (61, Grade.DOUBTFUL, "61 s fast"),
        (-300, Grade.DOUBTFUL, "300 s slow"),
        (301, Grade.WRONG, "301 s fast; AWS refuses requests"),
    ],
)
def test_a_clock_is_doubtful_after_a_minute_and_wrong_after_five(seconds: int, grade: Grade, told: str) -> None:
    check = skew(timedelta(seconds=seconds))
    assert (check.grade, check.found) == (grade, told)
    assert (check.remedy is None) == (grade is Grade.GOOD)


def test_a_line_says_what_to_do_below_it() -> None:
    check = Check("Terraform", "not there", Grade.WRONG, "set it up")
    assert check.line() == "wrong     Terraform: not there\n          set it up"
    assert check.document() == {"what": "Terraform", "is": "wrong", "found": "not there", "remedy": "set it up"}


def test_only_what_is_wrong_is_a_difference() -> None:
    conclude([Check("a", "b"), Check("a", "b", Grade.DOUBTFUL)])
    with pytest.raises(CheckFailed, match="2 things are wrong"):
        conclude([Check("a", "b", Grade.WRONG), Check("a", "b", Grade.WRONG)])
