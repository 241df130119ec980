"""Who is served, in which order, and what is refused before AWS is asked."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

import pytest

from tests.stacks import a_venue
from venue_access.aws.client import AwsClient
from venue_access.errors import UsageError
from venue_access.inventory.model import Recipient
from venue_access.tokens.issue import (
    Issued,
    Outcome,
    Refused,
    TokenRequest,
    issue,
    recipients,
    supplied_external_id,
    users_named,
)

ALICE, BOB = Recipient("alice", email="alice@example.org"), Recipient("bob")
LISTED = replace(a_venue(), users=MappingProxyType({"alice": ALICE, "bob": BOB}))


def names(*users: str, users_only: bool = False) -> list[str | type]:
    request = TokenRequest(replace(LISTED, users_only=users_only), users)
    return [each.name if isinstance(each, Recipient) else type(each) for each in recipients(request)]


def unreached() -> AwsClient:
    pytest.fail("AWS was asked")


def unrecorded(outcome: Issued | Refused) -> Outcome:
    pytest.fail("something was recorded")


def test_users_are_served_in_their_order_and_each_once() -> None:
    assert names("bob", "alice", "ALICE@example.org", "bob") == ["bob", "alice"]


def test_one_who_is_refused_does_not_stop_the_others() -> None:
    assert names("bob", "x", "alice") == ["bob", Refused, "alice"]


def test_one_to_whom_nothing_could_be_handed_over_is_refused_before_aws_is_asked() -> None:
    def prepare(recipient: Recipient) -> None:
        raise UsageError(f"no key of {recipient.name}")

    refused = list(
        issue(unreached, TokenRequest(LISTED, ("alice", "bob", "alice")), record=unrecorded, prepare=prepare)
    )
    assert [str(each.error) for each in refused if isinstance(each, Refused)] == ["no key of alice", "no key of bob"]


def test_anybody_is_served_unless_the_venue_keeps_to_its_users() -> None:
    assert names("carol") == ["carol"]
    assert names("carol", users_only=True) == [Refused]


def test_users_are_separated_by_commas_and_spaces_beside_them_do_not_count() -> None:
    assert users_named("alice, bob") == ("alice", "bob")


@pytest.mark.parametrize(
    ("text", "said"),
    [("", "--user is empty"), (" ", "--user is empty"), ("alice,", "--user 'alice,' has an empty name"), (",", "','")],
)
def test_an_empty_name_is_refused_before_anybody_gets_a_token(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        users_named(text)


def test_a_slip_of_a_listed_name_is_refused_unless_accepted_and_the_others_are_served() -> None:
    request = TokenRequest(LISTED, ("alice", "alcie", "bbo"))
    assert [getattr(each, "name", Refused) for each in recipients(request)] == ["alice", Refused, Refused]
    accepted = recipients(replace(request, accept_similar=True))
    assert [getattr(each, "name", Refused) for each in accepted] == ["alice", "alcie", "bbo"]


@pytest.mark.parametrize(
    "user", ["", "x", "a" * 65, "a b", "alice\n", "al\tice", "a٣", "é1", "a;b", "a/b", "a:b", "$(id)"]
)
def test_a_name_that_aws_refuses_is_refused_before_it_is_asked(user: str) -> None:
    (refused,) = issue(unreached, TokenRequest(LISTED, (user,)), record=unrecorded)
    assert isinstance(refused, Refused)
    assert "the user name" in str(refused.error)


@pytest.mark.parametrize("user", ["a2", "a" * 64, "a-rf", "a=b", "alice+x@example.org"])
def test_a_name_that_aws_takes_is_taken_as_it_is(user: str) -> None:
    assert names(user) == [user]


@pytest.mark.parametrize("text", ["", "x", "with space", "line\n", "secret*", "ümlaut"])
def test_a_malformed_external_id_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(UsageError, match=rf"the external ID given \({len(text)} characters\)") as refused:
        supplied_external_id(text)
    assert len(text) < 3 or text not in str(refused.value)


def test_an_external_id_is_passed_on_as_it_was_given() -> None:
    assert supplied_external_id("Az09_+=,.@:/-").reveal() == "Az09_+=,.@:/-"
