"""The checks: this machine's programs, files and clock, recipients' keys, credentials and data buckets."""

from __future__ import annotations

import os
import platform
import re
import ssl
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import Enum
from functools import partial
from pathlib import Path
from shutil import which
from typing import Any

from venue_access import times
from venue_access.accounts.cache import cache_folder
from venue_access.aws.client import Endpoint
from venue_access.aws.parameters import find_buckets
from venue_access.aws.sessions import Accounts
from venue_access.config import Settings, assets
from venue_access.errors import AccessDenied, CheckFailed, UsageError, VenueAccessError
from venue_access.files import check_private
from venue_access.inventory.arns import DNS_SUFFIXES
from venue_access.inventory.model import Venue, names_of
from venue_access.provisioning.cli_config import (
    cli_config_environment,
    has_own_config,
    holds_provider,
    is_too_old,
    provider_version,
    target,
    terraform_program,
    terraform_version,
)
from venue_access.times import to_minute
from venue_access.tokens.encryption.keys import find_encryptor


class Level(Enum):
    """How serious a result is."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True)
class Check:
    """What was checked, what was found, and the remedy."""

    what: str
    found: str
    level: Level = Level.OK
    remedy: str | None = None

    def line(self) -> str:
        """Return the line, or two with the remedy, for the terminal."""
        line = f"{self.level.value:<7}  {self.what}: {self.found}"
        return line if self.remedy is None else f"{line}\n{'':9}{self.remedy}"

    def document(self) -> dict[str, Any]:
        """Return the check's part of the ``--json`` document."""
        return {"what": self.what, "level": self.level.value, "found": self.found, "remedy": self.remedy}


def failed(what: str, error: VenueAccessError) -> Check:
    """Return the result of a check that raised an error."""
    return Check(what, error.message, Level.ERROR, error.hint)


def conclude(checks: Sequence[Check]) -> None:
    """Raise an error if a check has one.

    :raises CheckFailed: it does.
    """
    count = sum(check.level is Level.ERROR for check in checks)
    if count:
        raise CheckFailed("1 check failed" if count == 1 else f"{count} checks failed")


_OLDEST_PYTHON = (3, 10)
_SETUP = "install it with: scripts/bootstrap"
_MOST_FILES = 5  # lines about files that others can read


def python() -> Check:
    """Check the version of Python."""
    if sys.version_info[:2] < _OLDEST_PYTHON:
        return Check("Python", platform.python_version(), Level.ERROR, _SETUP)
    return Check("Python", platform.python_version())


def terraform(settings: Settings, environ: Mapping[str, str], home: Path) -> Check:
    """Check the version of the Terraform that provision runs."""
    downloads = settings.root / ".venue-access"
    program = terraform_program(settings.terraform, downloads)
    found = which(program)
    if found is None:
        return Check("Terraform", f"{program} is not on the PATH", Level.ERROR, _SETUP)
    version = terraform_version(found, {**environ, **cli_config_environment(environ, home, downloads)})
    if version is None:
        return Check("Terraform", f"{found} does not print its version", Level.ERROR, _SETUP)
    if is_too_old(version):
        return Check("Terraform", f"{version} at {found}: too old", Level.ERROR, "1.11 or later; scripts/bootstrap")
    return Check("Terraform", f"{version} at {found}")


def provider(settings: Settings, environ: Mapping[str, str], home: Path) -> Check:
    """Check where Terraform installs its AWS provider from."""
    what = "AWS provider"
    version = provider_version((assets("terraform") / ".terraform.lock.hcl").read_text(encoding="utf-8"))
    named = environ.get("TF_CLI_CONFIG_FILE")
    if named and Path(named).is_file():
        return Check(what, f"{version}, configured by your own {named}")
    if has_own_config(home):
        return Check(what, f"{version}, configured by your own Terraform CLI configuration")
    ours = settings.root / ".venue-access" / "terraform.rc"
    mirror = re.search(r'path\s*=\s*"([^"]+)"', ours.read_text(encoding="utf-8")) if ours.is_file() else None
    if mirror is None:
        return Check(what, f"{version} from the registry, over the network")
    if holds_provider(Path(mirror[1]), target(), version):
        return Check(what, f"{version} in the mirror {mirror[1]}")
    return Check(what, f"the mirror {mirror[1]} does not have {version}", Level.ERROR, "run scripts/bootstrap again")


def recipients(venues: Iterable[Venue], keys_folder: Path, now: datetime) -> Iterator[Check]:
    """Check that tokens can be encrypted to each key of the venues' recipients."""
    found = {recipient: venue for venue in venues for recipient in venue.users.values() if recipient.keys}
    bad = 0
    for recipient, venue in found.items():
        for key in recipient.keys:
            try:
                one_key = replace(recipient, keys=(key,))
                find_encryptor(one_key, None, folder=keys_folder, now=now, sender=venue.contact)
            except UsageError as error:
                bad += 1
                yield failed(f"keys of {recipient.name}", error)
    count = sum(len(recipient.keys) for recipient in found)
    if count and not bad:
        yield Check("recipients", f"{count} key{'' if count == 1 else 's'} that tokens can be encrypted to")


def files(settings: Settings, environ: Mapping[str, str], home: Path) -> Iterator[Check]:
    """Check that only their owner can read the files with confidential content."""
    found = [path for path in _confidential(settings.work_directory, environ, home) if path.exists()]
    readable = []
    for path in found:
        try:
            check_private(path)
        except UsageError as error:
            readable.append(failed("files", error))
    yield from readable[:_MOST_FILES]
    if len(readable) > _MOST_FILES:
        yield Check("files", f"and {len(readable) - _MOST_FILES} more", Level.ERROR)
    if not readable:
        yield Check("files", f"{len(found)} with confidential content, readable only by you")


def _confidential(work: Path, environ: Mapping[str, str], home: Path) -> Iterator[Path]:
    yield work
    yield from work.glob("ledger*")
    for pattern in ("*.tfstate*", "*.tfvars.json*", "*.tfplan"):
        yield from work.glob(f"stacks/*/{pattern}")
    yield work / "local-aws"
    cache = cache_folder(environ, home)
    yield cache
    yield from cache.glob("*.json")
    yield Path(environ.get("AWS_SHARED_CREDENTIALS_FILE") or home / ".aws" / "credentials")
    folder = home / "aws-creds"
    yield folder
    if os.access(folder, os.R_OK):
        yield from folder.glob("*_key")


# AWS refuses requests that are five minutes old (AWS General Reference, Signature Version 4).
_SKEW_WARNING, _SKEW_ERROR = timedelta(minutes=1), timedelta(minutes=5)
_SOON = timedelta(minutes=10)
_TIMEOUT = 10.0  # seconds


def credentials(venues: Sequence[Venue], accounts: Accounts, now: datetime) -> Check:
    """Check the credentials for venues that share an account and its credentials."""
    first = venues[0]
    what = f"credentials for {first.account_id} ({names_of(venues)})"
    try:
        aws = accounts.aws(first)
        caller = aws.caller()
        expiry = aws.credentials_expiry()
    except VenueAccessError as error:
        return failed(what, error)
    if caller.account_id != first.account_id:
        found = f"they are of account {caller.account_id}: {caller.arn}"
        remedy = "export credentials of that account, or set aws_profile or operator_role_arn"
        return Check(what, found, Level.ERROR, remedy)
    if expiry is None:
        return Check(what, f"{caller.arn}; expiry unknown")
    found = f"{caller.arn}, until {to_minute(expiry)}"
    if expiry - now < _SOON:
        return Check(what, found, Level.WARNING, "they expire soon: get new credentials before a long run")
    return Check(what, found)


def data_bucket(venue: Venue, accounts: Accounts) -> Check:
    """Check that the data bucket of a venue exists by name, and is used for nothing else."""
    what = f"data bucket of {venue.name}"
    try:
        return Check(what, ", ".join(find_buckets(accounts.aws(venue), venue)))
    except AccessDenied as error:
        return Check(what, error.message, Level.WARNING, error.hint)
    except VenueAccessError as error:
        return failed(what, error)


def clock(venue: Venue, endpoint: Endpoint | None, now: Callable[[], datetime]) -> Check:
    """Compare this machine's clock with AWS's, which is in each response, also without credentials."""
    url = endpoint.url if endpoint is not None else f"https://sts.{venue.region}.{DNS_SUFFIXES[venue.partition]}"
    try:
        theirs = times.current().call("HEAD", url, partial(_date, url, endpoint))
    except (OSError, ValueError, VenueAccessError) as error:
        reason = getattr(error, "reason", None) or error
        return Check("clock", f"no time from {url}: {reason}", Level.WARNING, "check the network")
    return skew(now() - theirs)


def skew(off: timedelta) -> Check:
    """Return the check of a clock that is off by so much."""
    seconds = round(off.total_seconds())
    # AWS sends whole seconds, and the response takes a moment.
    found = "correct" if abs(seconds) <= 1 else f"{abs(seconds)} s {'fast' if seconds > 0 else 'slow'}"
    if abs(off) > _SKEW_ERROR:
        return Check("clock", f"{found}; AWS refuses requests", Level.ERROR, "set this machine's clock")
    if abs(off) > _SKEW_WARNING:
        return Check("clock", found, Level.WARNING, "set this machine's clock: AWS refuses more than 5 minutes")
    return Check("clock", found)


def _date(url: str, endpoint: Endpoint | None) -> datetime:
    ca_file = None if endpoint is None or endpoint.ca_file is None else str(endpoint.ca_file)
    trust = ssl.create_default_context(cafile=ca_file)
    handlers: list[urllib.request.BaseHandler] = [urllib.request.HTTPSHandler(context=trust)]
    if endpoint is not None and endpoint.is_local:
        handlers.append(urllib.request.ProxyHandler({}))
    request = urllib.request.Request(url, method="HEAD")
    try:
        with urllib.request.build_opener(*handlers).open(request, timeout=_TIMEOUT) as response:
            date = response.headers.get("Date")
    except urllib.error.HTTPError as refused:  # a refusal has the date too
        date = refused.headers.get("Date")
    if date is None:
        raise ValueError("the response has no date")
    return parsedate_to_datetime(date)
