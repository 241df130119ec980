"""Look at everything, side by side where that waits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from pathlib import Path

from venue_access.app import App
from venue_access.aws.client import AwsClient
from venue_access.config import Settings
from venue_access.doctor.aws_checks import clock, data_bucket, keys
from venue_access.doctor.check import Check, Grade, wrong
from venue_access.doctor.host_checks import files, provider, python, recipients, terraform
from venue_access.emulator.server import aws_emulator
from venue_access.errors import InventoryError, VenueAccessError
from venue_access.inventory.model import Venue
from venue_access.inventory.venues import venue_warnings


def examine(
    settings: Settings,
    opened: Callable[[], App],
    chosen: Callable[[App], Sequence[Venue]],
    environ: Mapping[str, str],
    home: Path,
    *,
    now: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
) -> list[Check]:
    """Every check; what fails is one of them, and does not stop the others.

    :param opened: reads the inventory.
    :param chosen: chooses its venues.
    :raises UsageError: there are no such venues.
    """
    with ThreadPoolExecutor(8) as pool:
        version = pool.submit(_whatever, "Terraform", lambda: terraform(settings, environ, home))
        checks = [python()]
        inventory, venues, reach = _inventory(opened, chosen, now())
        running = aws_emulator(settings.work_directory).is_running()
        emulator = [venue for venue in venues if venue.emulator]
        reached = [venue for venue in venues if running or not venue.emulator]
        groups = list(_ways(reached))
        ways = [pool.submit(keys, group, reach, now()) for group in groups]
        times = pool.submit(_clock, reached, reach, now) if reached else None
        checks += [version.result(), _whatever("AWS provider", lambda: provider(settings, environ, home)), *inventory]
        checks += [way.result() for way in ways]
        # Buckets that the inventory names were compared when it was read.
        usable = [group for group, way in zip(groups, ways, strict=True) if way.result().grade is not Grade.WRONG]
        unnamed = [venue for group in usable for venue in group if venue.s3_buckets is None]
        checks += pool.map(lambda venue: data_bucket(venue, reach), unnamed)
        if times is not None:
            checks.append(times.result())
        if emulator:
            told = "it is up" if running else "it is down; it starts by itself, or with: invoke local.up"
            checks.append(Check("AWS emulator", told))
    return [*checks, *files(settings, environ, home)]


def _inventory(
    opened: Callable[[], App], chosen: Callable[[App], Sequence[Venue]], now: datetime
) -> tuple[list[Check], Sequence[Venue], Callable[[Venue], AwsClient]]:
    def nowhere(venue: Venue) -> AwsClient:
        raise AssertionError(venue.name)

    try:
        kit = opened()
    except InventoryError as error:
        found = [Check("inventory", str(problem), Grade.WRONG) for problem in error.problems]
        return found or [wrong("inventory", error)], [], nowhere
    except VenueAccessError as error:
        return [wrong("inventory", error)], [], nowhere
    venues = chosen(kit)
    doubts = [Check("inventory", str(each), Grade.DOUBTFUL) for each in venue_warnings(kit.inventory, venues)]
    count = len(venues)
    fine = Check("inventory", f"{kit.settings.inventory}: {count} venue{'' if count == 1 else 's'}")
    keys_of_recipients = recipients(venues, kit.settings.inventory_folder, now)
    return [*(doubts or [fine]), *keys_of_recipients], venues, kit.aws


def _ways(venues: Sequence[Venue]) -> Iterator[list[Venue]]:
    """The venues by how their accounts are reached: with the same keys, in the same account."""
    found: dict[tuple[object, ...], list[Venue]] = {}
    for venue in venues:
        how = (venue.emulator, venue.aws_profile, venue.operator_role_arn, venue.aws_endpoint_url)
        found.setdefault((venue.account_id, *how), []).append(venue)
    yield from found.values()


def _clock(venues: Sequence[Venue], reach: Callable[[Venue], AwsClient], now: Callable[[], datetime]) -> Check:
    venue = next((each for each in venues if not each.emulator), venues[0])
    try:
        aws = reach(venue)
    except VenueAccessError:
        aws = None
    return clock(venue, aws, now)


def _whatever(what: str, look: Callable[[], Check]) -> Check:
    try:
        return look()
    except VenueAccessError as error:
        return wrong(what, error)
    except OSError as error:
        return Check(what, f"{error.filename}: {(error.strerror or str(error)).lower()}", Grade.WRONG)
