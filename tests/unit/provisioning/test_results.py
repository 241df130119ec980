from __future__ import annotations

from collections import Counter
from typing import Any

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
from venue_access.provisioning.results import (
    Applied,
    Reporter,
    StackResults,
    VenueResult,
    drift_document,
    drift_lines,
    error_messages,
    exit_code,
    plan_summary,
    recap,
    report_event,
    venue_of,
)

DEV, TEST = a_venue("unity-dev"), a_venue("unity-test")


def a_result(
    venue: Venue,
    *,
    in_place: int = 0,
    proofs: int = 0,
    skipped: int = 0,
    error: VenueAccessError | None = None,
    differences: tuple[str, ...] = (),
    **counts: int,
) -> VenueResult:
    """A result with so many resources ``in_place``, and so many by action: create, update, delete."""
    actions = Counter({name.replace("import_", "import"): count for name, count in counts.items()})
    addresses = {f"address{number}" for number in range(in_place)}
    return VenueResult(venue, addresses, actions, proofs, skipped, error, list(differences))


def test_recap_is_ansibles_with_names_aligned() -> None:
    results = [
        a_result(a_venue("unity-dev"), in_place=6, create=1, update=2, delete=3, proofs=3),
        a_result(a_venue("unity-longer"), error=CredentialsError("no keys")),
        a_result(a_venue("unity-test"), in_place=6, skipped=1, error=UsageError("no bucket")),
    ]
    assert recap(results) == [
        "unity-dev    : ok=9 changed=6 unreachable=0 failed=0 skipped=0 rescued=0 ignored=0",
        "unity-longer : ok=0 changed=0 unreachable=1 failed=0 skipped=0 rescued=0 ignored=0",
        "unity-test   : ok=6 changed=0 unreachable=0 failed=1 skipped=1 rescued=0 ignored=0",
    ]
    assert recap([]) == []


def test_plan_summary_uses_terraforms_words() -> None:
    fresh, kept = a_result(DEV, create=6), a_result(TEST, import_=6, update=4)
    refused = a_result(a_venue("unity-ops"), create=1, delete=1, error=UsageError("the plan destroys"))
    unknown = a_result(a_venue("unity-far"), error=CredentialsError("no keys"))
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


def test_drift_is_a_table_with_differences_below_each_venue() -> None:
    results = [
        a_result(a_venue("unity-dev"), in_place=6),
        a_result(a_venue("unity-longer"), update=1, differences=("~ aws_iam_role.this", '    name: "x" -> "y"')),
        a_result(a_venue("unity-test"), error=CredentialsError("no keys", hint="get some")),
    ]
    assert drift_lines(results) == [
        "unity-dev     in sync",
        "unity-longer  differs",
        "    ~ aws_iam_role.this",
        '        name: "x" -> "y"',
        "unity-test    unknown: no keys",
    ]
    venues = drift_document(results)["venues"]
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
def test_exit_code_of_several_venues_is_the_first_of_4_5_7(errors: list[VenueAccessError], code: int) -> None:
    assert exit_code([a_result(DEV), *(a_result(DEV, error=error) for error in errors)]) == code


def test_change_is_exit_7_only_with_fail_on_change() -> None:
    changed = [a_result(DEV, update=1)]
    assert exit_code(changed) == 0
    assert exit_code(changed, fail_on_change=True) == 7
    assert exit_code([a_result(DEV)], fail_on_change=True) == 0
    assert exit_code([*changed, a_result(DEV, error=TerraformError(""))], fail_on_change=True) == 4


def test_document_agrees_with_the_recap() -> None:
    document = a_result(DEV, create=2, error=UsageError("no bucket", hint="name one")).document()
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
def test_failed_venue_is_left_out_of_the_next_step(at_once: int) -> None:
    results = StackResults([DEV, TEST])
    assert results.each(fail_dev, at_once=at_once) == {"unity-test": "test"}
    assert results.active() == (TEST,)
    assert results.each(lambda venue: venue.name) == {"unity-test": "unity-test"}
    assert [result.failed for result in results.values()] == [True, False]


def test_unreachable_account_fails_every_venue() -> None:
    def unreachable(venue: Venue) -> None:
        raise CredentialsError("no keys")

    results = StackResults([DEV, TEST])
    with pytest.raises(CredentialsError) as raised:
        results.each(unreachable)
    results.fail(raised.value)
    assert [result.unreachable for result in results.values()] == [True, True]


def test_error_is_recorded_for_the_venues_it_names() -> None:
    results = StackResults([DEV, TEST])
    results.fail(TerraformError("refused", venues=frozenset({"unity-dev"})))
    assert results.active() == (TEST,)
    results.fail(TerraformError("the state is locked", venues=frozenset({"unity-dev"})))  # of which none is active
    assert [str(result.error) for result in results.values()] == ["refused", "the state is locked"]


class TestErrorMessages:
    def test_each_error_once_with_its_venues(self) -> None:
        many = [a_venue(f"unity-n{number}") for number in range(5)]
        errors = [(DEV, None), (TEST, UsageError("one")), *((each, AwsError("other", hint="so")) for each in many)]
        assert error_messages(errors) == ["unity-test: one", "unity-n0, unity-n1, unity-n2 and 2 more: other\n  so"]

    def test_error_that_names_its_venue_or_stack_is_unchanged(self) -> None:
        assert error_messages([(DEV, UsageError("one")), (TEST, UsageError("one"))]) == ["one"]
        stacked = a_venue("unity-stacked", stack="s")
        errors = [(DEV, None), (TEST, UsageError("unity-test: is no venue")), (stacked, AwsError("stack s: no"))]
        assert error_messages(errors) == ["unity-test: is no venue", "stack s: no"]


POLICY = 'module.venue["unity-dev"].aws_iam_policy.this["s3"]'


def event(kind: str, action: str = "create", address: str = POLICY) -> dict[str, Any]:
    """A line of Terraform's -json output, without what is not read."""
    return {"type": kind, "hook": {"resource": {"addr": address}, "action": action}}


def test_address_is_split_into_venue_and_resource() -> None:
    assert venue_of(POLICY) == ("unity-dev", 'aws_iam_policy.this["s3"]')
    assert venue_of("aws_iam_role.this") == (None, "aws_iam_role.this")


def reported(event: dict[str, Any]) -> tuple[list[str], list[str], Applied | None]:
    details: list[str] = []
    lines: list[str] = []
    applied = report_event(Reporter(detail=details.append, line=lines.append), event)
    return details, lines, applied


@pytest.mark.parametrize(
    ("message", "details"),
    [
        (event("apply_start"), ['unity-dev: creating aws_iam_policy.this["s3"]']),
        (event("apply_progress", "delete"), ['unity-dev: destroying aws_iam_policy.this["s3"]']),
        (event("refresh_start"), ['unity-dev: reading aws_iam_policy.this["s3"]']),
        (event("apply_start", address="data.x.y"), []),
        ({"type": "version", "terraform": "1.11.4"}, []),
    ],
)
def test_activity_is_a_detail(message: dict[str, Any], details: list[str]) -> None:
    assert reported(message) == (details, [], None)


def test_applied_resource_is_a_line() -> None:
    applied = Applied("unity-dev", "update", POLICY)
    line = 'unity-dev: changed aws_iam_policy.this["s3"]'
    assert reported(event("apply_complete", "update")) == ([], [line], applied)
    assert reported(event("apply_errored")) == ([], [], None)
    assert reported(event("apply_complete", "read")) == ([], [], None)  # a data source is not a resource of ours
