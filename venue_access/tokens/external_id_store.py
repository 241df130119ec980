"""The external ID that is stored with a venue, and patience with it while it is being rotated."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from venue_access.aws.client import AwsClient, Parameter
from venue_access.aws.identity import caller_in_account, why_not_trusted
from venue_access.errors import AccessDenied, AwsError, UsageError
from venue_access.inventory.model import Venue
from venue_access.sensitive import ExternalId

T = TypeVar("T")

DEADLINE = 120.0
"""Seconds to go on asking where the stored ID is refused: AWS may not have heard everywhere of a change."""
_LONGEST_PAUSE = 5.0


class ExternalIdStore:
    """The external ID of a venue's parameter, read once for all and again only when it is refused.

    A rotation may have published a new ID since it was read, or AWS may not have heard of the new one everywhere.

    :param wait: waits so many seconds; whether it was told meanwhile to give up.
    :raises UsageError: the venue is not provisioned.
    """

    def __init__(
        self,
        aws: AwsClient,
        venue: Venue,
        *,
        now: Callable[[], datetime],
        clock: Callable[[], float],
        wait: Callable[[float], bool],
    ) -> None:
        self._aws = aws
        self._venue = venue
        self._now = now
        self._clock = clock
        self._wait = wait
        self._latest = read_stored_id(self._aws, self._venue)

    def assume(self, assume: Callable[[ExternalId], T]) -> T:
        """What ``assume`` gives for the stored ID, asked again while a change of it spreads.

        :raises AccessDenied: it stays refused, or no waiting would help.
        """
        tried, pause, deadline = self._latest, 0.1, self._clock() + DEADLINE
        while True:
            try:
                return assume(tried.value)
            except AccessDenied as error:
                found = self._latest = read_stored_id(self._aws, self._venue)
                if found.value == tried.value:
                    self._check_worth_waiting(found, error)
                    if self._clock() + pause > deadline or self._wait(pause):
                        raise self._refused(error) from error
                    pause = min(pause * 2, _LONGEST_PAUSE)
                elif self._clock() > deadline:
                    raise self._refused(error) from error
                tried = found

    def _check_worth_waiting(self, found: Parameter, error: AccessDenied) -> None:
        """A refusal of what is still stored passes by itself only while a change spreads, and not for a stranger."""
        against = why_not_trusted(self._venue, self._aws.caller())
        if against is not None:
            raise not_trusted(self._venue, against, error) from error
        self._check_role_is_there(error)
        if (self._now() - found.modified).total_seconds() > 2 * DEADLINE:
            raise self._refused(error) from error

    def _check_role_is_there(self, error: AccessDenied) -> None:
        """To AWS a role that is missing and one that does not trust the caller are the same; it may be looked up."""
        try:
            role = self._aws.role(self._venue.role_name)
        except AwsError:
            return  # the issuer needs no right on IAM
        if role is None:
            raise UsageError(
                f"{self._venue.name} is not provisioned: there is no role {self._venue.role_name}, though its SSM"
                " parameter is there",
                hint=f"make it anew with: invoke provision --venue {self._venue.name}",
            ) from error

    def _refused(self, error: AccessDenied) -> AccessDenied:
        name = self._venue.name
        return AccessDenied(
            f"AWS refused the role of {name} with its stored external ID: {error.message}",
            hint=f"invoke status --venue {name} shows how it stands; your own policies must allow sts:AssumeRole on it",
            code=error.code,
        )


def read_stored_id(aws: AwsClient, venue: Venue, *, may_be_supplied: bool = True) -> Parameter:
    """The parameter that holds a venue's external ID.

    :param may_be_supplied: whether hints may offer ``--external-id`` instead.
    :raises UsageError: the venue is not provisioned.
    """
    try:
        parameter = aws.parameter(venue.external_id_parameter)
    except AccessDenied as error:
        supply = "supply it with --external-id, which needs no right on SSM; " if may_be_supplied else ""
        raise AccessDenied(
            f"{venue.name}: its external ID may not be read: {error.message}",
            hint=f"{supply}what reading it needs is in: invoke operator-policy --issue-only --venue {venue.name}",
            code=error.code,
        ) from error
    if parameter is not None:
        return parameter
    supply = ", or supply the external ID with --external-id" if may_be_supplied else ""
    caller_in_account(aws, venue, hint=f"export keys of that account{supply}")
    raise UsageError(
        f"{venue.name} is not provisioned: there is no SSM parameter {venue.external_id_parameter}",
        hint=f"provision it with: invoke provision --venue {venue.name}",
    )


def not_trusted(venue: Venue, reason: str, error: AccessDenied) -> AccessDenied:
    """The error for a caller who may not assume the role, whatever the external ID."""
    return AccessDenied(
        f"AWS refused the role of {venue.name}: {reason}",
        hint="use keys that it trusts, or add yours to trusted_principals and provision the venue",
        code=error.code,
    )
