from __future__ import annotations

from typing import Any

import pytest

from tests.unit.inventory.builders import inventory_of, venue_with
from venue_access.errors import UsageError
from venue_access.inventory.model import Recipient, Venue, find_recipient, find_venue, name_of
from venue_access.inventory.venues import build_venues

ALICE = {"alice": {"email": "alice@example.org"}}


def venues_of(**hosts: Any) -> dict[str, Venue]:
    return build_venues(inventory_of(**hosts))


def three() -> dict[str, Venue]:
    sounder = {"project": "sounder", "users": {"bob": {"email": "bob@example.org"}}}
    return venues_of(unity_dev={"users": ALICE}, unity_test={"users": ALICE}, sounder_dev=sounder)


def test_a_venue_is_found_by_its_inventory_name() -> None:
    assert find_venue(three(), "unity-dev").name == "unity-dev"


def test_a_bare_venue_is_found_where_one_project_has_it() -> None:
    assert find_venue(three(), "test").name == "unity-test"


def test_a_bare_venue_of_several_projects_is_an_error_that_names_them() -> None:
    with pytest.raises(UsageError) as caught:
        find_venue(three(), "dev")
    assert str(caught.value) == "several projects have a venue 'dev'\n  choose one of: unity-dev, sounder-dev"


def test_an_unknown_venue_is_an_error_with_the_nearest_and_all() -> None:
    with pytest.raises(UsageError) as caught:
        find_venue(three(), "unity-tset")
    assert str(caught.value) == (
        "the inventory has no venue 'unity-tset'; did you mean 'unity-test'?\n"
        "  it has: unity-dev, unity-test, sounder-dev"
    )


def test_the_only_venue_need_not_be_named() -> None:
    assert find_venue(venues_of(unity_dev={}), None).name == "unity-dev"


@pytest.mark.parametrize("user", ["bob", "BOB@example.org"])
def test_the_only_venue_of_a_user_need_not_be_named(user: str) -> None:
    assert find_venue(three(), None, user=user).name == "sounder-dev"


def test_venues_that_a_user_may_not_use_are_not_theirs() -> None:
    users = {"carol": {"venues": ["unity-test"]}}
    venues = venues_of(unity_dev={"users": users}, unity_test={"users": users})
    assert find_venue(venues, None, user="carol").name == "unity-test"


@pytest.mark.parametrize(
    ("user", "candidates"),
    [
        (None, "unity-dev, unity-test, sounder-dev"),
        ("nobody", "unity-dev, unity-test, sounder-dev"),
        ("alice", "unity-dev, unity-test"),
    ],
)
def test_where_several_venues_are_left_the_candidates_are_told(user: str | None, candidates: str) -> None:
    with pytest.raises(UsageError) as caught:
        find_venue(three(), None, user=user)
    assert str(caught.value) == f"which venue?\n  choose one with --venue: {candidates}"


def test_an_inventory_without_venues_has_none_to_infer() -> None:
    with pytest.raises(UsageError, match="has no venue"):
        find_venue({}, None)


@pytest.mark.parametrize("user", ["alice", "alice@example.org", "Alice@Example.ORG"])
def test_a_recipient_is_found_by_name_or_by_email_in_any_case(user: str) -> None:
    assert find_recipient(venue_with(users=ALICE), user) == Recipient("alice", "alice@example.org")


def test_anybody_else_is_a_recipient_by_name_alone() -> None:
    assert find_recipient(venue_with(users=ALICE), "unityuser") == Recipient("unityuser")


def test_with_users_only_others_are_refused_and_no_email_is_told() -> None:
    with pytest.raises(UsageError) as caught:
        find_recipient(venue_with(users=ALICE, users_only=True), "alcie")
    assert "'alcie' is not one of them; did you mean 'alice'?" in str(caught.value)
    assert "example.org" not in str(caught.value)


def test_a_name_that_differs_only_in_case_from_a_listed_one_is_not_taken_for_somebody_else() -> None:
    with pytest.raises(UsageError, match="did you mean 'alice'"):
        find_recipient(venue_with(users=ALICE), "ALICE")


SLIPS = ["alcie", "alic", "alicee", "alixe", "a-lice", "lice", "alice@exmaple.org", "alice@example.orgg"]


@pytest.mark.parametrize("user", SLIPS)
def test_a_name_one_slip_away_from_a_listed_user_is_refused_unless_accepted(user: str) -> None:
    with pytest.raises(UsageError) as caught:
        find_recipient(venue_with(users=ALICE), user)
    assert str(caught.value) == (
        f"unity-dev: unknown user {user!r} (did you mean 'alice'?)\n  if {user!r} is the right name, pass --yes"
    )
    assert find_recipient(venue_with(users=ALICE), user, accept_similar=True) == Recipient(user)


@pytest.mark.parametrize("user", ["alicia", "bob", "malicex"])
def test_a_name_further_away_is_somebody_else(user: str) -> None:
    assert find_recipient(venue_with(users=ALICE), user) == Recipient(user)


def test_a_listed_user_is_no_slip_of_another_one() -> None:
    assert find_recipient(venue_with(users={"bob": None, "rob": None}), "rob") == Recipient("rob")


def test_a_slip_of_a_user_who_is_listed_for_another_venue_is_one_too() -> None:
    users = {"carol": {"venues": ["unity-test"]}}
    venue = venues_of(unity_dev={"users": users}, unity_test={"users": users})["unity-dev"]
    with pytest.raises(UsageError, match="unknown user 'carlo'"):
        find_recipient(venue, "carlo")


def test_a_recipient_listed_for_other_venues_is_refused_with_those() -> None:
    users = {"carol": {"venues": ["unity-test"]}}
    venue = venues_of(unity_dev={"users": users}, unity_test={"users": users})["unity-dev"]
    with pytest.raises(UsageError, match=r"carol does not get tokens for unity-dev\n.*lists: unity-test"):
        find_recipient(venue, "carol")


@pytest.mark.parametrize("user", ["", "a", "a b", "zoë", "a" * 65, "alice\n", "a/b", "-rf", "--", "=x", ".ssh"])
def test_user_name_that_aws_or_a_file_system_cannot_take_is_refused(user: str) -> None:
    with pytest.raises(UsageError, match=r"the user name .*\n  it becomes the beginning of the role session name"):
        find_recipient(venue_with(), user)


def test_tokens_of_a_name_that_is_refused_today_can_still_be_revoked() -> None:
    assert name_of(venue_with(), "-rf") == "-rf"
