"""The operator's accounts from every place, by name."""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from venue_access.accounts.account import Account, fits
from venue_access.accounts.credentials_dir import account_file, in_folder
from venue_access.accounts.profiles import in_profiles
from venue_access.accounts.system_keyring import in_keyring
from venue_access.errors import UsageError
from venue_access.files import user_path
from venue_access.inventory.suggestions import did_you_mean


@dataclass(frozen=True)
class AccountSources:
    """Where accounts are looked for."""

    environ: Mapping[str, str]
    home: Path
    unix_user: str
    credentials_folder: Path
    account_file: Path
    account_file_given: bool = False

    @classmethod
    def of(cls, environ: Mapping[str, str], credentials_folder: str | None, account_file: str | None) -> AccountSources:
        """The places that the flags mean: ``~/aws-creds``, and in it ``accounts.json``, unless others are given.

        :raises UsageError: the folder that was given is missing.
        """
        home = Path(environ.get("HOME") or Path.home())
        folder = home / "aws-creds" if credentials_folder is None else user_path(credentials_folder)
        if credentials_folder is not None and not folder.is_dir():
            raise UsageError(f"there is no folder {credentials_folder!r}", hint="--credentials-dir names one")
        return cls(
            environ,
            home,
            unix_user(environ),
            folder,
            folder / "accounts.json" if account_file is None else user_path(account_file),
            account_file is not None,
        )


def accounts(places: AccountSources) -> list[Account]:
    """Every account, those of the account file first and in its order; of one name the folder's before the keyring's.

    :raises UsageError: others can read a place, or what is there is not what it should be.
    """
    named = account_file(places.account_file, must_exist=places.account_file_given)
    found: dict[str, Account] = {}
    for account in [
        *in_folder(places.credentials_folder, named, places.unix_user),
        *in_keyring(named, places.unix_user),
        *in_profiles(places.environ, places.home),
    ]:
        found.setdefault(account.name, account)
    order = {name: number for number, name in enumerate(named)}
    return sorted(found.values(), key=lambda account: (order.get(account.name, len(order)), account.name))


def account_called(places: AccountSources, name: str) -> Account:
    """The account of a name, whatever the case it was typed in.

    :raises UsageError: there is none.
    """
    known = {account.name: account for account in accounts(places)}
    alike = [each for each in known if each.lower() == name.lower()]
    if name in known or len(alike) == 1:
        return known.get(name) or known[alike[0]]
    shown = ", ".join(known) or f"none: {places.credentials_folder} has no keys, ~/.aws no profile with any"
    raise UsageError(f"there is no account {name!r}{did_you_mean(name, known)}", hint=f"the accounts are: {shown}")


def unix_user(environ: Mapping[str, str]) -> str:
    """The Unix user's name, where it can be an IAM user's."""
    name = environ.get("USER") or environ.get("LOGNAME")
    if not name:
        try:
            name = pwd.getpwuid(os.getuid()).pw_name
        except KeyError:  # a container whose user has no name
            name = "operator"
    return name if fits(name) else "operator"
