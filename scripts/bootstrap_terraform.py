"""Bootstrap's part for Terraform: a program that is new enough, and where that finds its AWS provider."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from venue_access import console
from venue_access.errors import UsageError
from venue_access.files import private_directory, write_private_if_changed
from venue_access.provisioning.cli_config import terraform_program

NEEDED = (1, 11)
PINNED = "1.11.4"
RELEASES = "https://releases.hashicorp.com"
INSTEAD = "put Terraform 1.11 or later on the PATH, or name one by INVOKE_TERRAFORM"
PROVIDER = "registry.terraform.io/hashicorp/aws"
ADD_ON_FOLDERS = (Path("/opt"), Path("/usr/local/share"), Path("/srv"))


def say(text: str) -> None:
    console.say(f"bootstrap: {text}")


def provide(environ: Mapping[str, str], checkout: Path) -> None:
    """See that there is a Terraform that is new enough: download one where the ``PATH`` has none.

    :raises UsageError: the one configured is not; a download failed.
    """
    configured = environ.get("INVOKE_TERRAFORM") or "terraform"
    program = terraform_program(configured, checkout / ".venue-access")
    version = version_of(program, environ)
    if version is not None and version >= NEEDED:
        return
    found = f"{program} cannot be run" if version is None else f"{program} has version {version[0]}.{version[1]}"
    if configured != "terraform":
        raise UsageError(found, hint="INVOKE_TERRAFORM must name Terraform or OpenTofu 1.11 or later")
    say(f"{found}; downloading Terraform {PINNED}")
    download(environ.get("VENUE_ACCESS_TERRAFORM_MIRROR") or RELEASES, checkout)


def version_of(program: str, environ: Mapping[str, str]) -> tuple[int, int] | None:
    """The version of a Terraform or OpenTofu; None where it is none, or does not run."""
    # To ask HashiCorp for later versions takes a second; the user's configuration does not matter here.
    quiet = {**environ, "CHECKPOINT_DISABLE": "1", "TF_CLI_CONFIG_FILE": os.devnull}
    try:
        done = subprocess.run([program, "version"], env=quiet, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    version = re.match(r"(?:Terraform|OpenTofu) v(\d+)\.(\d+)", done.stdout)
    return (int(version[1]), int(version[2])) if version else None


def download(releases: str, checkout: Path) -> None:
    """Put the pinned release at ``.venue-access/bin/terraform``, once its checksum has been checked."""
    import tempfile  # these are slow to import, and seldom needed
    import urllib.request
    import zipfile

    name = f"terraform_{PINNED}_{target()}.zip"
    sums = (checkout / "requirements" / f"terraform-{PINNED}.sha256").read_text(encoding="utf-8").split()
    if name not in sums:
        raise UsageError(f"no checksum is known of Terraform {PINNED} for {target()}", hint=INSTEAD)
    url = f"{releases.rstrip('/')}/terraform/{PINNED}/{name}"
    folder = private_directory(checkout / ".venue-access" / "bin")
    # In a folder of its own, so that a failure leaves nothing and the program appears whole.
    with tempfile.TemporaryDirectory(dir=folder, prefix=".download-") as scratch:
        archive = Path(scratch, name)
        try:
            with urllib.request.urlopen(url, timeout=60) as response, archive.open("wb") as file:
                shutil.copyfileobj(response, file)
        except (OSError, ValueError) as error:  # a URLError is an OSError; ValueError is for what is no URL
            raise UsageError(f"cannot download {url}: {getattr(error, 'reason', error)}", hint=INSTEAD) from error
        if hashlib.sha256(archive.read_bytes()).hexdigest() != sums[sums.index(name) - 1]:
            raise UsageError(f"{url} does not have the checksum that is committed here; discarded", hint=INSTEAD)
        with zipfile.ZipFile(archive) as release:
            program = Path(release.extract("terraform", scratch))
        program.chmod(0o700)
        program.replace(folder / "terraform")


def configure_provider(
    environ: Mapping[str, str], home: Path, checkout: Path, add_ons: Sequence[Path] = ADD_ON_FOLDERS
) -> None:
    """Write the CLI configuration that names the folder with the AWS provider, if Terraform must be told."""
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


def target() -> str:
    """This machine in HashiCorp's words, such as ``linux_amd64``."""
    machine = platform.machine().lower()
    return f"{platform.system().lower()}_" + {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)


def provider_version(lock: str) -> str:
    """The version of the AWS provider that a dependency lock file names; ``*``, any, if it names none."""
    found = re.search(rf'"{re.escape(PROVIDER)}" {{\s+version\s*= "([^"]+)"', lock)
    return found[1] if found else "*"


def implied_mirrors(environ: Mapping[str, str], home: Path, system: str) -> list[Path]:
    """The folders that Terraform searches by itself, on ``linux`` or ``darwin``.

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
    """Folders that Terraform must be told of: the checkout's own, as stacks are run elsewhere, and the add-ons'."""
    found = (registry.parent for folder in add_ons for registry in sorted(folder.glob("*/registry.terraform.io")))
    return [checkout / "terraform.d" / "plugins", *found]


def holds_provider(mirror: Path, platform: str, version: str) -> bool:
    """Whether a mirror has the AWS provider, in either layout: unpacked, or as the release's archive."""
    folder = mirror / PROVIDER
    layouts = (f"{version}/{platform}", f"terraform-provider-aws_{version}_{platform}.zip")
    return any(next(folder.glob(layout), None) for layout in layouts)


def mirror_config(mirror: Path) -> str:
    """A CLI configuration that takes the AWS provider from ``mirror`` and all others from their registries."""
    return (
        "# Written by scripts/bootstrap; your own ~/.terraformrc or TF_CLI_CONFIG_FILE goes before it.\n"
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
