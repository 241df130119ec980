"""Check that tokens can be encrypted to the keys that an inventory lists for its recipients."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path

from venue_access.errors import Problem, UsageError
from venue_access.inventory.groups import Inventory
from venue_access.inventory.recipients import USERS
from venue_access.inventory.validators import Context, InvalidValue
from venue_access.inventory.values import line_of
from venue_access.tokens.encryption.delivery import encrypt_to_keys
from venue_access.tokens.encryption.keys import find_keys


def key_problems(inventory: Inventory, folder: Path, now: datetime) -> list[Problem]:
    """Return a problem for each key that is missing, damaged, private, expired or another person's.

    Venues that are wrong otherwise are checked too, but not a ``users`` that is wrong itself.

    :param folder: the files of keys are relative to it.
    """
    problems: dict[tuple[object, ...], Problem] = {}
    seen: set[int] = set()
    for host in inventory.hosts:
        setting = inventory.settings(host).get("users")
        if setting is None or id(setting) in seen:
            continue
        seen.add(id(setting))
        try:
            users = USERS.read(setting.value or {}, Context(hosts=inventory.entries))
        except InvalidValue:
            continue
        for recipient in users.values():
            written = setting.value[recipient.name]
            line = line_of(written, "keys") if recipient.keys else None
            for key in recipient.keys:
                try:
                    given = find_keys(replace(recipient, keys=(key,)), None, folder=folder)
                    encrypt_to_keys(recipient, given, sender=None, now=now)
                except UsageError as error:
                    message = f"{recipient.name}: keys: {error.message}"
                    problem = Problem(message, setting.file, host, "users", line or setting.line)
                    problems.setdefault((message, setting.file, problem.line), problem)
    return list(problems.values())
