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


def test_venue_is_found_by_inventory_name() -> None:
    assert find_venue(three(), "unity-dev").name == "unity-dev"


def test_unambiguous_bare_name_is_found() -> None:
    assert find_venue(three(), "test").name == "unity-test"


def test_ambiguous_bare_name_is_refused_with_candidates() -> None:
    with pytest.raises(UsageError) as caught:
        find_venue(three(), "dev")
    assert str(caught.value) == "several projects have a venue 'dev'\n  choose one of: unity-dev, sounder-dev"


def test_unknown_venue_is_refused_with_nearest_and_all() -> None:
    with pytest.raises(UsageError) as caught:
        find_venue(three(), "unity-tset")
    assert str(caught.value) == (
        "the inventory has no venue 'unity-tset'; did you mean 'unity-test'?\n"
        "  it has: unity-dev, unity-test, sounder-dev"
    )


def test_only_venue_is_inferred() -> None:
    assert find_venue(venues_of(unity_dev={}), None).name == "unity-dev"


@pytest.mark.parametrize("user", ["bob", "BOB@example.org"])
def test_only_venue_of_a_user_is_inferred(user: str) -> None:
    assert find_venue(three(), None, user=user).name == "sounder-dev"


def test_restricted_venues_are_not_inferred() -> None:
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
def test_several_candidates_are_listed(user: str | None, candidates: str) -> None:
    with pytest.raises(UsageError) as caught:
        find_venue(three(), None, user=user)
    assert str(caught.value) == f"which venue?\n  choose one with --venue: {candidates}"


def test_empty_inventory_infers_nothing() -> None:
    with pytest.raises(UsageError, match="has no venue"):
        find_venue({}, None)


@pytest.mark.parametrize("user", ["alice", "alice@example.org", "Alice@Example.ORG"])
def test_recipient_is_found_by_name_or_email_in_any_case(user: str) -> None:
    assert find_recipient(venue_with(users=ALICE), user) == Recipient("alice", "alice@example.org")


def test_anybody_else_is_a_recipient_by_name_alone() -> None:
    assert find_recipient(venue_with(users=ALICE), "unityuser") == Recipient("unityuser")


def test_restricted_venue_refuses_others_without_showing_emails() -> None:
    with pytest.raises(UsageError) as caught:
        find_recipient(venue_with(users=ALICE, users_only=True), "alcie")
    assert "'alcie' is not one of them; did you mean 'alice'?" in str(caught.value)
    assert "example.org" not in str(caught.value)


def test_name_in_another_case_is_the_listed_user() -> None:
    with pytest.raises(UsageError, match="did you mean 'alice'"):
        find_recipient(venue_with(users=ALICE), "ALICE")


SLIPS = ["alcie", "alic", "alicee", "alixe", "a-lice", "lice", "alice@exmaple.org", "alice@example.orgg"]


@pytest.mark.parametrize("user", SLIPS)
def test_similar_name_is_refused_unless_accepted(user: str) -> None:
    with pytest.raises(UsageError) as caught:
        find_recipient(venue_with(users=ALICE), user)
    assert str(caught.value) == (
        f"unity-dev: unknown user {user!r} (did you mean 'alice'?)\n  if {user!r} is the right name, pass --yes"
    )
    assert find_recipient(venue_with(users=ALICE), user, accept_similar=True) == Recipient(user)


@pytest.mark.parametrize("user", ["alicia", "bob", "malicex"])
def test_dissimilar_name_is_another_user(user: str) -> None:
    assert find_recipient(venue_with(users=ALICE), user) == Recipient(user)


def test_listed_user_is_not_similar_to_another() -> None:
    assert find_recipient(venue_with(users={"bob": None, "rob": None}), "rob") == Recipient("rob")


def test_similar_name_of_another_venue_is_refused() -> None:
    users = {"carol": {"venues": ["unity-test"]}}
    venue = venues_of(unity_dev={"users": users}, unity_test={"users": users})["unity-dev"]
    with pytest.raises(UsageError, match="unknown user 'carlo'"):
        find_recipient(venue, "carlo")


def test_recipient_of_other_venues_is_refused_with_those() -> None:
    users = {"carol": {"venues": ["unity-test"]}}
    venue = venues_of(unity_dev={"users": users}, unity_test={"users": users})["unity-dev"]
    with pytest.raises(UsageError, match=r"carol does not get tokens for unity-dev\n.*lists: unity-test"):
        find_recipient(venue, "carol")


@pytest.mark.parametrize("user", ["", "a", "a b", "zoë", "a" * 65, "alice\n", "a/b", "-rf", "--", "=x", ".ssh"])
def test_invalid_user_name_is_refused(user: str) -> None:
    with pytest.raises(UsageError, match=r"the user name .*\n  it becomes the beginning of the role session name"):
        find_recipient(venue_with(), user)


def test_tokens_of_refused_names_can_be_revoked() -> None:
    assert name_of(venue_with(), "-rf") == "-rf"
