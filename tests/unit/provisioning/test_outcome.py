from __future__ import annotations

import pytest

from tests.stacks import a_venue
from venue_access.errors import (
    AwsError,
    CheckFailed,
    CredentialsError,
    Interrupted,
    RenderError,
    TerraformError,
    UsageError,
    VenueAccessError,
)
from venue_access.inventory.model import Venue
from venue_access.provisioning.outcome import (
    Outcome,
    RunResult,
    drift_document,
    drift_lines,
    error_messages,
    exit_code,
    plan_summary,
    recap,
)

DEV, TEST = a_venue("unity-dev"), a_venue("unity-test")


def test_the_recap_is_ansibles_with_names_aligned() -> None:
    outcomes = [
        Outcome(a_venue("unity-dev"), in_place=6, add=1, change=2, destroy=3, proofs=3),
        Outcome(a_venue("unity-longer"), error=CredentialsError("no keys")),
        Outcome(a_venue("unity-test"), in_place=6, skipped=1, error=UsageError("no bucket")),
    ]
    assert recap(outcomes) == [
        "unity-dev    : ok=9 changed=6 unreachable=0 failed=0 skipped=0 rescued=0 ignored=0",
        "unity-longer : ok=0 changed=0 unreachable=1 failed=0 skipped=0 rescued=0 ignored=0",
        "unity-test   : ok=6 changed=0 unreachable=0 failed=1 skipped=1 rescued=0 ignored=0",
    ]
    assert recap([]) == []


def test_a_plan_is_summed_up_in_terraforms_words() -> None:
    fresh, kept = Outcome(DEV, add=6), Outcome(TEST, imported=6, change=4)
    refused = Outcome(a_venue("unity-ops"), add=1, destroy=1, error=UsageError("the plan destroys"))
    unknown = Outcome(a_venue("unity-far"), error=CredentialsError("no keys"))
    assert plan_summary([fresh]) == ["unity-dev: 6 to add, 0 to change, 0 to destroy"]
    assert plan_summary([fresh, kept]) == [
        "unity-dev: 6 to add, 0 to change, 0 to destroy",
        "unity-test: 6 to import, 0 to add, 4 to change, 0 to destroy",
        "total: 6 to import, 6 to add, 4 to change, 0 to destroy",
    ]
    assert plan_summary([fresh, refused, unknown])[1:] == [
        "unity-ops: 1 to add, 0 to change, 1 to destroy",
        "total: 7 to add, 0 to change, 1 to destroy; 1 without a plan",
    ]
    assert plan_summary([unknown]) == []


def test_drift_is_a_table_with_what_differs_below_each() -> None:
    outcomes = [
        Outcome(a_venue("unity-dev"), in_place=6),
        Outcome(a_venue("unity-longer"), change=1, differences=("~ aws_iam_role.this", '    name: "x" -> "y"')),
        Outcome(a_venue("unity-test"), error=CredentialsError("no keys", hint="get some")),
    ]
    assert drift_lines(outcomes) == [
        "unity-dev     in sync",
        "unity-longer  differs",
        "    ~ aws_iam_role.this",
        '        name: "x" -> "y"',
        "unity-test    unknown: no keys",
    ]
    venues = drift_document(outcomes)["venues"]
    assert [venues[name]["in_sync"] for name in venues] == [True, False, None]
    assert venues["unity-longer"]["differences"] == ["~ aws_iam_role.this", '    name: "x" -> "y"']
    assert venues["unity-test"]["error"] == "no keys\n  get some"


@pytest.mark.parametrize(
    ("errors", "code"),
    [
        ([], 0),
        ([UsageError("")], 2),
        ([RenderError("")], 3),
        ([UsageError(""), AwsError("")], 5),
        ([CheckFailed(""), CredentialsError(""), TerraformError("")], 4),
        ([UsageError(""), CheckFailed("")], 7),
        ([TerraformError(""), Interrupted("")], 130),
    ],
)
def test_over_several_venues_the_exit_code_is_the_first_of_4_5_7(errors: list[VenueAccessError], code: int) -> None:
    assert exit_code([Outcome(DEV), *(Outcome(DEV, error=error) for error in errors)]) == code


def test_a_change_is_exit_7_only_where_it_is_asked_for() -> None:
    changed = [Outcome(DEV, change=1)]
    assert exit_code(changed) == 0
    assert exit_code(changed, fail_on_change=True) == 7
    assert exit_code([Outcome(DEV)], fail_on_change=True) == 0
    assert exit_code([*changed, Outcome(DEV, error=TerraformError(""))], fail_on_change=True) == 4


def test_the_document_of_a_venue_says_what_the_recap_does() -> None:
    document = Outcome(DEV, add=2, error=UsageError("no bucket", hint="name one")).document()
    assert document == {
        "stack": "shared",
        "changed": True,
        "add": 2,
        "change": 0,
        "destroy": 0,
        "failed": True,
        "unreachable": False,
        "error": "no bucket\n  name one",
        "role_arn": DEV.role_arn,
        "external_id_parameter": "/unity/unity/dev/cs/sts/role/external-id",
    }


def fail_dev(venue: Venue) -> str:
    if venue == DEV:
        raise UsageError("not this one")
    return venue.venue


@pytest.mark.parametrize("at_once", [1, 8])
def test_a_venue_that_fails_a_step_is_left_out_of_the_next(at_once: int) -> None:
    tallies = RunResult([DEV, TEST])
    assert tallies.each(fail_dev, at_once=at_once) == {"unity-test": "test"}
    assert tallies.active() == (TEST,)
    assert tallies.each(lambda venue: venue.name) == {"unity-test": "unity-test"}
    assert [outcome.failed for outcome in tallies.outcomes()] == [True, False]


def test_an_account_that_cannot_be_reached_is_every_venues() -> None:
    def unreachable(venue: Venue) -> None:
        raise CredentialsError("no keys")

    tallies = RunResult([DEV, TEST])
    with tallies.record_errors():
        tallies.each(unreachable)
    assert [outcome.unreachable for outcome in tallies.outcomes()] == [True, True]


def test_terraforms_error_is_laid_upon_the_venues_it_is_about() -> None:
    tallies = RunResult([DEV, TEST])
    with tallies.record_errors():
        raise TerraformError("refused", venues=frozenset({"unity-dev"}))
    assert tallies.active() == (TEST,)
    with tallies.record_errors():
        raise TerraformError("the state is locked")
    assert [str(outcome.error) for outcome in tallies.outcomes()] == ["refused", "the state is locked"]


class TestErrorsTold:
    def test_each_is_told_once_with_the_venues_it_is_about(self) -> None:
        many = [a_venue(f"unity-n{number}") for number in range(5)]
        errors = [(DEV, None), (TEST, UsageError("one")), *((each, AwsError("other", hint="so")) for each in many)]
        assert error_messages(errors) == ["unity-test: one", "unity-n0, unity-n1, unity-n2 and 2 more: other\n  so"]

    def test_one_that_is_about_all_or_names_a_venue_or_its_stack_is_told_as_it_is(self) -> None:
        assert error_messages([(DEV, UsageError("one")), (TEST, UsageError("one"))]) == ["one"]
        stacked = a_venue("unity-stacked", stack="s")
        errors = [(DEV, None), (TEST, UsageError("unity-test: is no venue")), (stacked, AwsError("stack s: no"))]
        assert error_messages(errors) == ["unity-test: is no venue", "stack s: no"]
