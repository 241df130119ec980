"""Find the operator's accounts: in a credentials folder, the system's keyring and AWS profiles.

The folder has ``NAME.access_key``, ``NAME.secret_key`` and, if the IAM user is not named like the Unix user,
``NAME.user``. Beside them is the account file, JSON: ``{"work": "arn:aws:iam::012123456789:", ...}``. Both formats are
those of 42Lines' tools.

A keyring cannot list its entries, so it is searched for the accounts of the account file. Each has two entries of
the service ``venue-access``, made with ``keyring set venue-access work.access_key`` and ``keyring set venue-access
work.secret_key``; ``work.user`` is optional.
"""

from __future__ import annotations

import json
import os
import pwd
import re
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from venue_access.accounts.profiles import Account, is_account_name, parse_credentials, profile_accounts
from venue_access.aws.client import Credentials
from venue_access.errors import UsageError
from venue_access.files import check_private, read_small, user_path
from venue_access.inventory.suggestions import did_you_mean
from venue_access.sensitive import Secret

SERVICE = "venue-access"
"""The keyring's name for the kit."""
_ARN = re.compile(r"arn:(?P<partition>aws[a-z-]*):iam::(?P<account_id>\d{12}):", re.ASCII)
_SUFFIX = ".access_key"


class AccountSources:
    """Where accounts are looked for.

    :param credentials_dir: the folder; ``~/aws-creds`` by default.
    :param account_file: ``accounts.json`` in that folder by default.
    :raises UsageError: the given folder does not exist.
    """

    def __init__(
        self, environ: Mapping[str, str], credentials_dir: str | None = None, account_file: str | None = None
    ) -> None:
        self.home = Path(environ.get("HOME") or Path.home())
        self._environ = environ
        self._unix_user = unix_user(environ)
        self._folder = self.home / "aws-creds" if credentials_dir is None else user_path(credentials_dir)
        if credentials_dir is not None and not self._folder.is_dir():
            raise UsageError(f"--credentials-dir: there is no folder {credentials_dir!r}")
        self._account_file = None if account_file is None else user_path(account_file)

    def accounts(self) -> list[Account]:
        """Return every account: those of the account file first and in its order, the others by name.

        If several sources have an account of the same name, the folder takes precedence over the keyring, and the
        keyring over a profile.

        :raises UsageError: others can read a source, or it is malformed.
        """
        entries = self._entries()
        found: dict[str, Account] = {}
        ours = [*self._in_folder(entries), *self._in_keyring(entries)]
        for account in [*ours, *profile_accounts(self._environ, self.home)]:
            found.setdefault(account.name, account)
        order = {name: number for number, name in enumerate(entries)}
        return sorted(found.values(), key=lambda account: (order.get(account.name, len(order)), account.name))

    def account(self, name: str) -> Account:
        """Return the account of a name, in upper or lower case.

        :raises UsageError: there is none.
        """
        known = {account.name: account for account in self.accounts()}
        similar = [each for each in known if each.lower() == name.lower()]
        if name in known or len(similar) == 1:
            return known.get(name) or known[similar[0]]
        listed = ", ".join(known) or f"none: {self._folder} and the profiles in ~/.aws have no access keys"
        raise UsageError(f"there is no account {name!r}{did_you_mean(name, known)}", hint=f"the accounts are: {listed}")

    def _entries(self) -> dict[str, dict[str, Any]]:
        """Return the accounts of the account file: each one's ``partition`` and ``account_id`` by its name."""
        path = self._account_file or self._folder / "accounts.json"
        if not path.exists() and self._account_file is None:
            return {}
        hint = 'expected JSON such as {"work": "arn:aws:iam::012123456789:"}'
        entries = {}
        try:
            document = json.loads(read_small(path, what="account", hint=hint))
        except ValueError:
            document = None
        if not isinstance(document, dict):
            raise UsageError(f"the account file {path} is not a JSON object", hint=hint)
        for name, arn in document.items():
            match = _ARN.fullmatch(arn) if isinstance(arn, str) else None
            if match is None or not is_account_name(name):
                raise UsageError(f"the account file {path}: {name!r} is not a name with an account's ARN", hint=hint)
            entries[name] = match.groupdict()
        return entries

    def _in_folder(self, entries: Mapping[str, dict[str, Any]]) -> Iterator[Account]:
        if not self._folder.exists():
            return
        check_private(self._folder)
        for name in sorted(path.name.removesuffix(_SUFFIX) for path in self._folder.glob(f"*{_SUFFIX}")):
            if is_account_name(name):
                read, file = partial(_read_folder, self._folder, name), self._folder / f"{name}.user"
                user = _read_line(file) if file.exists() else self._unix_user
                yield Account(name, "folder", read, user=user, **entries.get(name, {}))

    def _in_keyring(self, entries: Mapping[str, dict[str, Any]]) -> Iterator[Account]:
        for name, entry in entries.items():
            if _keyring_entry(f"{name}{_SUFFIX}") is not None:
                user = _keyring_entry(f"{name}.user") or self._unix_user
                yield Account(name, "keyring", partial(_read_keyring, name), user=user, **entry)


def unix_user(environ: Mapping[str, str]) -> str:
    """Return the Unix user's name, or ``operator`` if that cannot be an IAM user's name."""
    name = environ.get("USER") or environ.get("LOGNAME")
    if not name:
        try:
            name = pwd.getpwuid(os.getuid()).pw_name
        except KeyError:  # a container whose user has no name
            name = "operator"
    return name if is_account_name(name) else "operator"


def _read_folder(folder: Path, name: str) -> Credentials:
    access_key, secret_key = files = folder / f"{name}{_SUFFIX}", folder / f"{name}.secret_key"
    for file in files:
        if file.exists():
            check_private(file)
    return parse_credentials(str(access_key), _read_line(access_key), Secret(_read_line(secret_key)))


def _read_line(path: Path) -> str:
    content = read_small(path, what="key", hint="expected a text file with one line", most=4096)
    return content.decode("utf-8", "replace").strip()


def _read_keyring(name: str) -> Credentials:
    entries = {each: _keyring_entry(each) for each in (f"{name}{_SUFFIX}", f"{name}.secret_key")}
    for each, value in entries.items():
        if value is None:
            raise UsageError(f"the keyring has no {each}", hint=f"set it with: keyring set {SERVICE} {each}")
    access_key, secret_key = (str(value).strip() for value in entries.values())
    return parse_credentials(f"keyring entry {name}", access_key, Secret(secret_key))


def _keyring_entry(name: str) -> str | None:
    try:
        import keyring
        from keyring.errors import KeyringError
    except ImportError:
        return None
    try:
        return keyring.get_password(SERVICE, name)
    except KeyringError:  # no backend works here, or it is locked
        return None
