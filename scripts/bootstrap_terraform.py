"""The Terraform part of bootstrap: a recent Terraform, and the place of its AWS provider."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from venue_access import console
from venue_access.errors import UsageError
from venue_access.files import private_directory, write_private_if_changed
from venue_access.provisioning.cli_config import (
    PROVIDER,
    holds_provider,
    is_too_old,
    provider_version,
    target,
    terraform_program,
    terraform_version,
)

PINNED = "1.11.4"
RELEASES = "https://releases.hashicorp.com"
INSTEAD = "put Terraform 1.11 or later on the PATH, or name one with INVOKE_TERRAFORM"
ADD_ON_FOLDERS = (Path("/opt"), Path("/usr/local/share"), Path("/srv"))


def say(text: str) -> None:
    console.say(f"bootstrap: {text}")


def provide(environ: Mapping[str, str], checkout: Path) -> None:
    """Download the pinned Terraform, unless a recent one is configured or on the ``PATH``.

    :raises UsageError: the configured one is missing or too old; the download failed.
    """
    configured = environ.get("INVOKE_TERRAFORM") or "terraform"
    program = terraform_program(configured, checkout / ".venue-access")
    # The user's CLI configuration does not matter here, and may be broken.
    version = terraform_version(program, {**environ, "TF_CLI_CONFIG_FILE": os.devnull})
    if version is not None and not is_too_old(version):
        return
    found = f"cannot run {program}" if version is None else f"{program} has version {version}"
    if configured != "terraform":
        raise UsageError(found, hint="INVOKE_TERRAFORM must name Terraform or OpenTofu 1.11 or later")
    say(f"{found}; downloading Terraform {PINNED}")
    download(environ.get("VENUE_ACCESS_TERRAFORM_MIRROR") or RELEASES, checkout)


def download(releases: str, checkout: Path) -> None:
    """Install the pinned release as ``.venue-access/bin/terraform``, after verifying its checksum."""
    import tempfile  # slow to import, and rarely needed
    import urllib.request
    import zipfile

    name = f"terraform_{PINNED}_{target()}.zip"
    sums = (checkout / "requirements" / f"terraform-{PINNED}.sha256").read_text(encoding="utf-8").split()
    if name not in sums:
        raise UsageError(f"no checksum of Terraform {PINNED} for {target()} in requirements/", hint=INSTEAD)
    url = f"{releases.rstrip('/')}/terraform/{PINNED}/{name}"
    folder = private_directory(checkout / ".venue-access" / "bin")
    # In a temporary folder, so that a failure leaves nothing and the program appears complete.
    with tempfile.TemporaryDirectory(dir=folder, prefix=".download-") as scratch:
        archive = Path(scratch, name)
        try:
            with urllib.request.urlopen(url, timeout=60) as response, archive.open("wb") as file:
                shutil.copyfileobj(response, file)
        except (OSError, ValueError) as error:  # a URLError is an OSError; a malformed URL is a ValueError
            raise UsageError(f"cannot download {url}: {getattr(error, 'reason', error)}", hint=INSTEAD) from error
        if hashlib.sha256(archive.read_bytes()).hexdigest() != sums[sums.index(name) - 1]:
            raise UsageError(f"{url} does not have the checksum in requirements/; discarded", hint=INSTEAD)
        with zipfile.ZipFile(archive) as release:
            program = Path(release.extract("terraform", scratch))
        program.chmod(0o700)
        program.replace(folder / "terraform")


def configure_provider(
    environ: Mapping[str, str], home: Path, checkout: Path, add_ons: Sequence[Path] = ADD_ON_FOLDERS
) -> None:
    """Write a CLI configuration that names the mirror with the AWS provider, unless Terraform searches it anyway."""
    file = checkout / ".venue-access" / "terraform.rc"
    implied = implied_mirrors(environ, home, platform.system().lower())
    mirrors = [*implied, *neighbouring_mirrors(checkout, add_ons)]
    version = provider_version((checkout / "terraform" / ".terraform.lock.hcl").read_text(encoding="utf-8"))
    mirror = next((mirror for mirror in mirrors if holds_provider(mirror, target(), version)), None)
    if mirror is None or mirror in implied:
        file.unlink(missing_ok=True)
        return
    private_directory(file.parent)
    if write_private_if_changed(file, mirror_config(mirror)):
        say(f"the AWS provider comes from {mirror}")


def implied_mirrors(environ: Mapping[str, str], home: Path, system: str) -> list[Path]:
    """Return the folders that Terraform searches without a configuration, on ``linux`` or ``darwin``.

    Source: https://developer.hashicorp.com/terraform/cli/config/config-file#implied-local-mirror-directories
    """
    if system == "darwin":
        data = [folder / "Library/Application Support/io.terraform" for folder in (home, Path("/"))]
    else:
        own = environ.get("XDG_DATA_HOME") or str(home / ".local/share")
        shared = environ.get("XDG_DATA_DIRS") or "/usr/local/share:/usr/share"
        data = [Path(folder) / "terraform" for folder in (own, *shared.split(":")) if folder]
    return [folder / "plugins" for folder in (home / ".terraform.d", *data)]


def neighbouring_mirrors(checkout: Path, add_ons: Iterable[Path]) -> list[Path]:
    """Return other folders that may be mirrors: the checkout's, since stacks run elsewhere, and the add-ons'."""
    found = (registry.parent for folder in add_ons for registry in sorted(folder.glob("*/registry.terraform.io")))
    return [checkout / "terraform.d" / "plugins", *found]


def mirror_config(mirror: Path) -> str:
    """Return a CLI configuration that installs the AWS provider from ``mirror``, and others from their registries."""
    return (
        "# Written by scripts/bootstrap; your own ~/.terraformrc or TF_CLI_CONFIG_FILE overrides it.\n"
        "provider_installation {\n"
        "  filesystem_mirror {\n"
        f"    path    = {json.dumps(str(mirror), ensure_ascii=False)}\n"
        f'    include = ["{PROVIDER}"]\n'
        "  }\n"
        "  direct {\n"
        f'    exclude = ["{PROVIDER}"]\n'
        "  }\n"
        "}\n"
    )
