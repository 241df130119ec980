"""Run all checks; those that wait run side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from functools import partial
from pathlib import Path

from venue_access.app import App
from venue_access.aws.sessions import Accounts
from venue_access.config import Settings
from venue_access.doctor.checks import (
    Check,
    Level,
    clock,
    credentials,
    data_bucket,
    failed,
    files,
    provider,
    python,
    recipients,
    terraform,
)
from venue_access.errors import InventoryError, VenueAccessError
from venue_access.inventory.model import Venue
from venue_access.inventory.venues import venue_warnings

Clock = Callable[[], datetime]


def examine(
    settings: Settings,
    venue: str | None,
    limit: str | None,
    environ: Mapping[str, str],
    home: Path,
    *,
    now: Clock = lambda: datetime.now(timezone.utc),
) -> list[Check]:
    """Run every check; one that fails does not stop the others.

    :param venue: ``--venue``; with neither this nor ``limit``, all venues.
    :raises UsageError: there are no such venues.
    """
    with ThreadPoolExecutor(8) as pool:
        version = pool.submit(_guarded, "Terraform", partial(terraform, settings, environ, home))
        checks = []
        try:
            app: App | None = App.open(settings)
        except VenueAccessError as error:
            app = None
            problems = error.problems if isinstance(error, InventoryError) else ()
            checks = [Check("inventory", str(each), Level.ERROR) for each in problems] or [failed("inventory", error)]
        if app is not None:
            venues = list(app.venues.values()) if venue is None and limit is None else app.chosen(venue, limit)
            checks = _inventory(app, venues, now())
            checks += _aws(app.accounts, venues, pool, now)
        installed = _guarded("AWS provider", partial(provider, settings, environ, home))
        return [python(), version.result(), installed, *checks, *files(settings, environ, home)]


def _inventory(app: App, venues: Sequence[Venue], now: datetime) -> list[Check]:
    checks = [Check("inventory", str(each), Level.WARNING) for each in venue_warnings(app.inventory, venues)]
    if not checks:
        checks = [Check("inventory", f"{app.settings.inventory}: {len(venues)} venue{'' if len(venues) == 1 else 's'}")]
    return [*checks, *recipients(venues, app.settings.inventory_folder, now)]


def _aws(accounts: Accounts, venues: Sequence[Venue], pool: ThreadPoolExecutor, now: Clock) -> list[Check]:
    """Check the accounts of the venues, except those on an emulator that is down."""
    endpoints = {venue.name: accounts.endpoint(venue) for venue in venues}
    emulated = [venue for venue in venues if (found := endpoints[venue.name]) is not None and found.is_local]
    is_up = accounts.emulator.is_running()
    reachable = [venue for venue in venues if is_up or venue not in emulated]
    groups: dict[tuple[str | None, ...], list[Venue]] = {}
    for venue in reachable:
        key = (*venue.account, venue.aws_endpoint_url, venue.aws_profile, venue.operator_role_arn)
        groups.setdefault(key, []).append(venue)
    running = [pool.submit(credentials, group, accounts, now()) for group in groups.values()]
    times = []
    if reachable:  # rather from AWS, as the emulator has the clock of this machine
        remote = next((venue for venue in reachable if venue not in emulated), reachable[0])
        times = [pool.submit(clock, remote, endpoints[remote.name], now)]
    checks = [future.result() for future in running]
    usable = [group for group, check in zip(groups.values(), checks, strict=True) if check.level is not Level.ERROR]
    # The inventory's validation has compared the buckets that it names.
    unnamed = [venue for group in usable for venue in group if venue.s3_buckets is None]
    checks += pool.map(lambda venue: data_bucket(venue, accounts), unnamed)
    checks += [future.result() for future in times]
    if emulated:
        checks.append(Check("AWS emulator", "up" if is_up else "down; it starts when a command needs it"))
    return checks


def _guarded(what: str, check: Callable[[], Check]) -> Check:
    try:
        return check()
    except VenueAccessError as error:
        return failed(what, error)
    except OSError as error:
        return Check(what, f"{error.filename}: {(error.strerror or str(error)).lower()}", Level.ERROR)
