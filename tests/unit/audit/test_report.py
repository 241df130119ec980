"""The summary of a verification, and which of its results are exit code 7."""

from __future__ import annotations

import pytest

from tests.stacks import a_venue
from venue_access.audit.report import Check, Report
from venue_access.errors import CheckFailed

OK, DIFFERS, UNCLEAR = (Check("a call", "allowed", "...", holds) for holds in (True, False, None))
SKIPPED = Check("a call", "refused", "NoSuchBucket", None, skipped=True)


@pytest.mark.parametrize(
    ("checks", "summary"),
    [
        ((OK,), "1 check: 1 ok, 0 differ, 0 unclear"),
        ((OK, OK, DIFFERS, UNCLEAR), "4 checks: 2 ok, 1 differs, 1 unclear"),
        ((DIFFERS, DIFFERS, UNCLEAR, UNCLEAR), "4 checks: 0 ok, 2 differ, 2 unclear"),
        ((OK, SKIPPED), "2 checks: 1 ok, 0 differ, 0 unclear, 1 skipped"),
        ((), "0 checks: 0 ok, 0 differ, 0 unclear"),
    ],
)
def test_last_line_counts_the_checks(checks: tuple[Check, ...], summary: str) -> None:
    *lines, last = Report(a_venue(), checks).lines()
    assert (len(lines), last) == (len(checks), f"unity-dev: {summary}")


@pytest.mark.parametrize(
    ("checks", "message"),
    [
        ((OK, DIFFERS), "unity-dev: 1 of 2 checks differ"),
        ((DIFFERS, UNCLEAR), "unity-dev: 1 of 2 checks differ, 1 unclear"),
        ((OK, UNCLEAR), "unity-dev: nothing differs, but 1 of 2 checks is unclear"),
        ((UNCLEAR, UNCLEAR), "unity-dev: nothing differs, but 2 of 2 checks are unclear"),
    ],
)
def test_differing_and_unclear_checks_are_exit_7(checks: tuple[Check, ...], message: str) -> None:
    with pytest.raises(CheckFailed) as found:
        Report(a_venue(), checks).conclude()
    assert (found.value.message, found.value.exit_code) == (message, 7)


def test_report_with_every_check_ok() -> None:
    Report(a_venue(), (OK, SKIPPED)).conclude()
    document = Report(a_venue(), (OK, DIFFERS, UNCLEAR, SKIPPED)).document()
    assert (document["differences"], document["unclear"]) == (1, 1)
    assert [each["result"] for each in document["checks"]] == ["ok", "differs", "unclear", "skipped"]
