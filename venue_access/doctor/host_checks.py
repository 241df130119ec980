"""Checks of this machine: Python, Terraform, its provider, recipients' keys, and who may read the files."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from shutil import which

from venue_access.accounts.cache import cache_folder
from venue_access.config import Settings
from venue_access.doctor.check import Check, Grade, wrong
from venue_access.errors import UsageError
from venue_access.files import check_private
from venue_access.inventory.model import Venue
from venue_access.provisioning.cli_config import cli_config_environment, has_own_config, terraform_program
from venue_access.templates import assets
from venue_access.tokens.encryption.encrypted import encrypt_to_keys
from venue_access.tokens.encryption.keys import given_keys

OLDEST_PYTHON, OLDEST_TERRAFORM = (3, 10), (1, 11)
_SETUP = "set it up with: scripts/bootstrap"
_MOST_FILES = 5  # lines about files that others can read; one chmod shows the way


def python() -> Check:
    """The Python that runs."""
    fits = sys.version_info[:2] >= OLDEST_PYTHON
    return Check("Python", platform.python_version(), Grade.GOOD if fits else Grade.WRONG, None if fits else _SETUP)


def terraform(settings: Settings, environ: Mapping[str, str], home: Path) -> Check:
    """The Terraform that provision runs, and its version."""
    downloads = settings.root / ".venue-access"
    program = terraform_program(settings.terraform, downloads)
    found = which(program)
    if found is None:
        return Check("Terraform", f"{program} is not on the PATH", Grade.WRONG, _SETUP)
    own = {**environ, **cli_config_environment(environ, home, downloads), "CHECKPOINT_DISABLE": "1"}
    try:
        done = subprocess.run([found, "version", "-json"], env=own, capture_output=True, timeout=20, check=True)
        version = str(json.loads(done.stdout)["terraform_version"])
    except (OSError, subprocess.SubprocessError, ValueError, KeyError):
        return Check("Terraform", f"{found} does not tell its version", Grade.WRONG, _SETUP)
    numbers = tuple(int(part) for part in re.findall(r"\d+", version)[:2])
    if numbers < OLDEST_TERRAFORM:
        return Check("Terraform", f"{version} at {found}: too old", Grade.WRONG, "1.11 or later; scripts/bootstrap")
    return Check("Terraform", f"{version} at {found}")


def provider(settings: Settings, environ: Mapping[str, str], home: Path) -> Check:
    """Where Terraform installs its AWS provider from."""
    what = "AWS provider"
    lock = (assets("terraform") / ".terraform.lock.hcl").read_text(encoding="utf-8")
    pinned = re.search(r'hashicorp/aws" \{\s*version\s*=\s*"([^"]+)"', lock)
    version = pinned[1] if pinned else "?"
    downloads = settings.root / ".venue-access"
    named = environ.get("TF_CLI_CONFIG_FILE")
    if named and Path(named).is_file():
        return Check(what, f"{version}, as your own {named} says")
    if has_own_config(home):
        return Check(what, f"{version}, as your own Terraform CLI configuration says")
    ours = downloads / "terraform.rc"
    mirror = re.search(r'path\s*=\s*"([^"]+)"', ours.read_text(encoding="utf-8")) if ours.is_file() else None
    if mirror is None:
        return Check(what, f"{version} from the registry, over the network")
    folder = Path(mirror[1]) / "registry.terraform.io" / "hashicorp" / "aws"
    if (folder / version).is_dir() or any(folder.glob(f"terraform-provider-aws_{version}_*.zip")):
        return Check(what, f"{version} in the mirror {mirror[1]}")
    return Check(what, f"the mirror {mirror[1]} does not have {version}", Grade.WRONG, "run scripts/bootstrap again")


def recipients(venues: Iterable[Venue], keys_folder: Path, now: datetime) -> Iterator[Check]:
    """Check that the keys of the venues' recipients can be encrypted to, each key by itself."""
    found = {recipient: venue for venue in venues for recipient in venue.users.values() if recipient.keys}
    bad = 0
    for recipient, venue in found.items():
        for key in recipient.keys:
            try:
                given = given_keys(replace(recipient, keys=(key,)), None, folder=keys_folder)
                encrypt_to_keys(recipient, given, sender=venue.contact, now=now)
            except UsageError as error:
                bad += 1
                yield wrong(f"keys of {recipient.name}", error)
    count = sum(len(recipient.keys) for recipient in found)
    if count and not bad:
        yield Check("recipients", f"{count} key{'' if count == 1 else 's'} that tokens can be encrypted to")


def files(settings: Settings, environ: Mapping[str, str], home: Path) -> Iterator[Check]:
    """Whether the files with something confidential in them are their owner's alone."""
    found = [path for path in _confidential(settings.work_directory, environ, home) if path.exists()]
    open_ones = []
    for path in found:
        try:
            check_private(path)
        except UsageError as error:
            open_ones.append(wrong("files", error))
    yield from open_ones[:_MOST_FILES]
    if len(open_ones) > _MOST_FILES:
        yield Check("files", f"{len(open_ones) - _MOST_FILES} more are open to others", Grade.WRONG)
    if not open_ones:
        yield Check("files", f"{len(found)} with something confidential in them, all yours alone")


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
