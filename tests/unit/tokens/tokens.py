"""Tokens for the tests of their formats."""

from __future__ import annotations

from datetime import datetime, timezone

from tests.stacks import a_venue
from venue_access.aws.client import AssumedRole, Credentials
from venue_access.sensitive import Secret
from venue_access.tokens.formats import writer

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
    return writer(name, a_venue(), profile_name=profile_name)(token or a_token())
