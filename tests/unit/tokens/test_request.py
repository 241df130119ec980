"""Recipients of a request, and what is refused without AWS."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

import pytest

from tests.stacks import a_venue
from venue_access.errors import UsageError
from venue_access.inventory.model import Recipient
from venue_access.tokens.delivery import Delivery
from venue_access.tokens.issue import prepare
from venue_access.tokens.issuer import TokenRequest, supplied_external_id, users_named

ALICE, BOB = Recipient("alice", email="alice@example.org"), Recipient("bob")
LISTED = replace(a_venue(), users=MappingProxyType({"alice": ALICE, "bob": BOB}))


def printed(recipient: Recipient) -> Delivery:
    return Delivery("printed")


def without_key(recipient: Recipient) -> Delivery:
    raise UsageError(f"no key of {recipient.name}")


def names(*users: str, users_only: bool = False, accept_similar: bool = False) -> tuple[list[str], list[str]]:
    """The recipients, and the users who are refused."""
    request = TokenRequest(replace(LISTED, users_only=users_only), users, accept_similar=accept_similar)
    recipients, refused = prepare(request, printed)
    return [each.name for each in recipients], [each.user for each in refused]


def test_recipients_are_in_order_without_duplicates() -> None:
    assert names("bob", "alice", "ALICE@example.org", "bob") == (["bob", "alice"], [])


def test_refused_user_does_not_stop_the_others() -> None:
    assert names("bob", "x", "alice") == (["bob", "alice"], ["x"])


def test_recipient_who_cannot_be_delivered_to_is_refused_once() -> None:
    recipients, refused = prepare(TokenRequest(LISTED, ("alice@example.org", "bob", "alice")), without_key)
    assert recipients == {}
    assert [str(each.error) for each in refused] == ["no key of alice", "no key of bob"]


def test_unlisted_user_is_refused_only_with_users_only() -> None:
    assert names("carol") == (["carol"], [])
    assert names("carol", users_only=True) == ([], ["carol"])


def test_users_are_separated_by_commas_and_spaces() -> None:
    assert users_named("alice, bob") == ("alice", "bob")


@pytest.mark.parametrize(
    ("text", "said"),
    [("", "--user is empty"), (" ", "--user is empty"), ("alice,", "--user 'alice,' has an empty name"), (",", "','")],
)
def test_empty_user_name_is_refused(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        users_named(text)


def test_misspelt_user_is_refused_unless_accepted() -> None:
    users = ("alice", "alcie", "bbo")
    assert names(*users) == (["alice"], ["alcie", "bbo"])
    assert names(*users, accept_similar=True) == (["alice", "alcie", "bbo"], [])


@pytest.mark.parametrize(
    "user", ["", "x", "a" * 65, "a b", "alice\n", "al\tice", "a٣", "é1", "a;b", "a/b", "a:b", "$(id)"]
)
def test_invalid_user_name_is_refused(user: str) -> None:
    _, [refused] = prepare(TokenRequest(LISTED, (user,)), printed)
    assert "the user name" in str(refused.error)


@pytest.mark.parametrize("user", ["a2", "a" * 64, "a-rf", "a=b", "alice+x@example.org"])
def test_valid_user_name_is_unchanged(user: str) -> None:
    assert names(user) == ([user], [])


@pytest.mark.parametrize("text", ["", "x", "with space", "line\n", "secret*", "ümlaut"])
def test_malformed_external_id_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(UsageError, match=rf"the external ID given \({len(text)} characters\)") as refused:
        supplied_external_id(text)
    assert len(text) < 3 or text not in str(refused.value)


def test_external_id_is_unchanged() -> None:
    assert supplied_external_id("Az09_+=,.@:/-").reveal() == "Az09_+=,.@:/-"
