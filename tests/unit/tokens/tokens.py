"""Tokens for the tests of their formats."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import cast

from tests.stacks import a_venue
from venue_access.aws.client import AssumedRole, Credentials, Endpoint
from venue_access.aws.sessions import Accounts
from venue_access.inventory.model import Venue
from venue_access.sensitive import Secret
from venue_access.tokens.formats import token_formatter

ARN = "arn:aws:sts::111122223333:assumed-role/unity-unity-dev-sts/alice-1"


def a_token(
    *, secret: str = "very-secret", session: str | None = "of-session", packed: int | None = None
) -> AssumedRole:
    """A token of alice's at unity-dev."""
    keys = Credentials("ASIAEXAMPLE", Secret(secret), None if session is None else Secret(session))
    until = datetime(2026, 11, 20, 22, 15, tzinfo=timezone.utc)
    return AssumedRole(ARN, "AROAEXAMPLE:alice-1", keys, until, packed)


def written(name: str, token: AssumedRole | None = None, *, profile_name: str | None = None) -> str:
    """A token in a format."""
    return token_formatter(name, a_venue(), profile_name=profile_name).text(token or a_token())


class AtEndpoint:
    """Stands in for ``Accounts``: every venue is at one endpoint."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    def endpoint(self, venue: Venue) -> Endpoint:
        return self._endpoint


def accounts_at(endpoint: Endpoint) -> Accounts:
    """Accounts whose venues are at one endpoint."""
    return cast(Accounts, AtEndpoint(endpoint))
