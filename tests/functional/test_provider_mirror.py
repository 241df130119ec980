"""Where scripts/bootstrap finds the AWS provider, and what real Terraform makes of that; no network."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from scripts import bootstrap_terraform
from venue_access.provisioning.cli_config import cli_config_environment, target

CHECKOUT = Path(__file__).resolve().parents[2]


class AccountSources:
    """Folders where a mirror may be, and the configuration that bootstrap writes for what it finds there."""

    def __init__(self, folder: Path) -> None:
        self.checkout = folder / "my checkout"
        self.home = folder / "home"
        self.add_ons = folder / "add-ons"
        self.config = self.checkout / ".venue-access" / "terraform.rc"
        for made in (self.checkout / "terraform", self.home, self.add_ons):
            made.mkdir(parents=True)
        shutil.copy(CHECKOUT / "terraform" / ".terraform.lock.hcl", self.checkout / "terraform")

    def look(self, environ: Mapping[str, str] | None = None) -> str:
        """The configuration that there is after looking; empty where there is none."""
        bootstrap_terraform.configure_provider(
            {"XDG_DATA_DIRS": "/nowhere"} | dict(environ or {}), self.home, self.checkout, [self.add_ons]
        )
        return self.config.read_text() if self.config.exists() else ""


@pytest.fixture
def places(tmp_path: Path) -> AccountSources:
    return AccountSources(tmp_path)


def a_mirror(folder: Path, version: str = "5.100.0", platform: str = target()) -> Path:
    """A mirror with a provider that can be installed, though not run."""
    provider = folder / "registry.terraform.io" / "hashicorp" / "aws" / version / platform
    provider.mkdir(parents=True)
    program = provider / f"terraform-provider-aws_v{version}_x5"
    program.touch()
    program.chmod(0o755)
    return folder


def test_mirror_among_the_add_ons_is_configured(places: AccountSources) -> None:
    mirror = a_mirror(places.add_ons / "plug ins")
    assert f'path    = "{mirror}"' in places.look()


def test_mirror_of_release_archives_is_configured(places: AccountSources) -> None:
    folder = places.add_ons / "plugins" / "registry.terraform.io" / "hashicorp" / "aws"
    folder.mkdir(parents=True)
    (folder / f"terraform-provider-aws_5.100.0_{target()}.zip").touch()
    assert f'path    = "{places.add_ons / "plugins"}"' in places.look()


def test_mirror_of_the_checkout_precedes_the_add_ons(places: AccountSources) -> None:
    a_mirror(places.add_ons / "plugins")
    mirror = a_mirror(places.checkout / "terraform.d" / "plugins")
    assert f'path    = "{mirror}"' in places.look()


def test_mirror_without_the_locked_version_or_this_platform_is_ignored(places: AccountSources) -> None:
    a_mirror(places.add_ons / "a", version="5.99.0")
    a_mirror(places.add_ons / "b", platform="plan9_386")
    assert places.look() == ""


def test_implied_mirror_needs_no_configuration(places: AccountSources) -> None:
    a_mirror(places.add_ons / "plugins")
    assert places.look() != ""
    a_mirror(places.home / ".terraform.d" / "plugins")
    assert places.look() == ""


def test_configuration_is_removed_with_its_mirror(places: AccountSources) -> None:
    mirror = a_mirror(places.add_ons / "plugins")
    assert places.look() != ""
    shutil.rmtree(mirror)
    assert places.look() == ""


@pytest.mark.parametrize(
    ("environ", "system", "expected"),
    [
        ({}, "linux", ["/me/.terraform.d/plugins", "/me/.local/share/terraform/plugins"]),
        ({"XDG_DATA_DIRS": "/a:/b"}, "linux", ["/a/terraform/plugins", "/b/terraform/plugins"]),
        ({"XDG_DATA_HOME": "/d"}, "linux", ["/d/terraform/plugins", "/usr/share/terraform/plugins"]),
        ({}, "darwin", ["/Library/Application Support/io.terraform/plugins"]),
    ],
)
def test_implied_mirrors(environ: dict[str, str], system: str, expected: list[str]) -> None:
    found = bootstrap_terraform.implied_mirrors(environ, Path("/me"), system)
    assert {Path(path) for path in expected} <= set(found)


ROOT = 'terraform {\n  required_providers {\n    aws = { source = "hashicorp/aws" }\n  }\n}\n'


def terraform_init(places: AccountSources) -> subprocess.CompletedProcess[str]:
    """Real Terraform, as the kit starts it: with what ``cli_config_environment`` adds."""
    root = places.checkout / "stack"
    root.mkdir()
    (root / "main.tf").write_text(ROOT)
    environ = {"PATH": os.environ["PATH"], "HOME": str(places.home), "CHECKPOINT_DISABLE": "1"}
    environ["TF_CLI_CONFIG_FILE"] = str(places.home / "missing")
    environ |= cli_config_environment(environ, places.home, places.config.parent)
    return subprocess.run(
        ["terraform", "init", "-no-color"], cwd=root, env=environ, capture_output=True, text=True, check=False
    )


def test_terraform_installs_the_provider_from_the_mirror(places: AccountSources) -> None:
    a_mirror(places.add_ons / "plug ins")
    places.look()
    done = terraform_init(places)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Installed hashicorp/aws v5.100.0 (unauthenticated)" in done.stdout


def test_configuration_of_the_user_precedes_ours(places: AccountSources) -> None:
    a_mirror(places.add_ons / "plugins")
    places.look()
    theirs = a_mirror(places.home / "theirs", version="6.0.0")
    block = f'filesystem_mirror {{\n path = "{theirs}"\n }}'
    (places.home / ".terraformrc").write_text(f"provider_installation {{\n {block}\n}}\n")
    done = terraform_init(places)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Installed hashicorp/aws v6.0.0" in done.stdout
