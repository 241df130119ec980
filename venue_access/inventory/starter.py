"""Write an inventory to start with: one venue, comments, and the schema by which editors complete its variables."""

from __future__ import annotations

import json
from pathlib import Path

from venue_access.errors import UsageError
from venue_access.files import create_private, private_directory
from venue_access.inventory.exports import json_schema
from venue_access.templates import render_template

_SCHEMA = ".venue-access.schema.json"  # Ansible and the kit ignore hidden files of an inventory


def write_starter(folder: Path, *, emulator: bool, program: str) -> None:
    """Create a folder with an inventory of one venue, on the AWS emulator or with an example account to replace.

    :param program: how the user runs the commands, for the comments.
    :raises UsageError: the folder exists and is not empty, or cannot be written.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} exists and is not an empty folder", hint="name another folder; nothing was written")
    values = {"emulator": emulator, "program": program, "schema": _SCHEMA}
    files = {
        "hosts.yml": render_template("inventory/hosts.yml.j2", **values),
        "group_vars/unity.yml": render_template("inventory/group.yml.j2", **values),
        "host_vars/unity-dev.yml": render_template("inventory/host.yml.j2", **values),
        _SCHEMA: json.dumps(json_schema(), indent=2) + "\n",
    }
    for name, text in files.items():
        path = folder / name
        private_directory(path.parent)
        create_private(path, text.encode("utf-8"))
