"""Checks of this machine: Python, Terraform, its provider, recipients' keys, and file modes."""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from shutil import which

from venue_access.accounts.cache import cache_folder
from venue_access.config import Settings, assets
from venue_access.doctor.check import Check, Level, failed
from venue_access.errors import UsageError
from venue_access.files import check_private
from venue_access.inventory.model import Venue
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
from venue_access.tokens.encryption.delivery import encrypt_to_keys
from venue_access.tokens.encryption.keys import find_keys

OLDEST_PYTHON = (3, 10)
_SETUP = "install it with: scripts/bootstrap"
_MOST_FILES = 5  # lines about files that others can read


def python() -> Check:
    """Check the version of Python."""
    if sys.version_info[:2] < OLDEST_PYTHON:
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
                given = find_keys(replace(recipient, keys=(key,)), None, folder=keys_folder)
                encrypt_to_keys(recipient, given, sender=venue.contact, now=now)
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
