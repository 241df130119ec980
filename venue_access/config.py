"""The settings of a run: the inventory, the work directory and the Terraform to use."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from venue_access.errors import RenderError, UsageError
from venue_access.files import private_directory, user_path


@dataclass(frozen=True)
class Settings:
    """The settings of a run."""

    inventory: Path
    work_directory: Path
    """Holds rendered stacks and their local state, facts, the ledger and the AWS emulator; mode 0700."""
    root: Path
    """The checkout, or the folder of ``invoke.yaml``: ``scripts/bootstrap`` downloads to a folder in it."""
    terraform: str = "terraform"
    """The Terraform or OpenTofu to run: a name or a path."""
    dry: bool = False
    """Neither start nor seed the emulator: set by ``--dry``."""

    @property
    def inventory_folder(self) -> Path:
        """Return the folder that paths in the inventory are relative to."""
        return self.inventory if self.inventory.is_dir() else self.inventory.parent

    def folder(self, *names: str) -> Path:
        """Return a folder of the work directory; create it with mode 0700 if it is missing."""
        return private_directory(self.work_directory.joinpath(*names))


DEFAULTS = {"inventory": "inventory/local", "workdir": ".venue-access", "terraform": "terraform"}
"""The keys of ``invoke.yaml``, and their values without a checkout."""


def checkout() -> Path | None:
    """Return the checkout that this package runs from, or None if it is installed without one."""
    folder = Path(__file__).resolve().parents[1]
    return folder if (folder / "invoke.yaml").exists() else None


def root() -> Path:
    """Return the folder that the defaults are relative to: the checkout, or else the current folder."""
    return checkout() or Path.cwd()


def assets(name: str) -> Path:
    """Return the folder ``terraform`` or ``templates``: beside the package in a checkout, inside it when installed.

    :raises RenderError: it is in neither place.
    """
    package = Path(__file__).resolve().parent
    for folder in (package.parent / name, package / "_assets" / name):
        if folder.is_dir():
            return folder
    raise RenderError(f"the folder {name}/ is missing", hint="reinstall venue-access, or run from a whole checkout")


def settings(
    configured: Mapping[str, Any], *, root: Path, inventory: str | None = None, environ: Mapping[str, str] = os.environ
) -> Settings:
    """Return the settings from Invoke's configuration.

    :param configured: ``inventory``, ``workdir`` and ``terraform``, as Invoke merged them.
    :param root: the folder of ``invoke.yaml``, to which the paths in it are relative. What comes from the
        environment or the command line is relative to the current folder.
    :raises UsageError: a value is not text, or is empty like an unset shell variable: it would mean the current folder.
    """

    def given(key: str) -> str:
        value = configured[key]
        if value is not None and not isinstance(value, str):
            raise UsageError(f"{key}: {value!r} is not text", hint="put its value in quotes in your invoke.yaml")
        if not value:
            raise UsageError(f"INVOKE_{key.upper()} is empty", hint="unset it for the default, or give it a value")
        return value

    def path(key: str) -> Path:
        text = given(key)
        base = Path() if environ.get(f"INVOKE_{key.upper()}") == text else root
        return (base / user_path(text)).absolute()

    if inventory == "":
        raise UsageError("--inventory is empty", hint="leave it out for the default, or name a file or folder")
    return Settings(
        inventory=path("inventory") if inventory is None else user_path(inventory).absolute(),
        work_directory=path("workdir"),
        root=root,
        terraform=os.path.expanduser(given("terraform")),
    )


def default_settings(
    environ: Mapping[str, str], *, inventory: str | None = None, workdir: str | None = None
) -> Settings:
    """Return the settings of a program that Invoke does not run; the defaults are those of ``invoke.yaml``.

    They are relative to the checkout, or to the current folder if the package is installed without one.
    """
    given = {key: environ.get(f"INVOKE_{key.upper()}", value) for key, value in DEFAULTS.items()}
    if workdir is not None:
        given["workdir"] = str(user_path(workdir).absolute())
    return settings(given, root=root(), inventory=inventory, environ=environ)
