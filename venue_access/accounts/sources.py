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
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

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


@dataclass(frozen=True)
class AccountEntry:
    """An entry of the account file."""

    partition: str = "aws"
    account_id: str | None = None


@dataclass(frozen=True)
class AccountSources:
    """Where accounts are looked for."""

    environ: Mapping[str, str]
    home: Path
    unix_user: str
    credentials_dir: Path
    account_file: Path
    account_file_given: bool = False

    @classmethod
    def of(cls, environ: Mapping[str, str], credentials_dir: str | None, account_file: str | None) -> AccountSources:
        """Return the sources that the flags name; the defaults are ``~/aws-creds`` and ``accounts.json`` in it.

        :raises UsageError: the given folder does not exist.
        """
        home = Path(environ.get("HOME") or Path.home())
        folder = home / "aws-creds" if credentials_dir is None else user_path(credentials_dir)
        if credentials_dir is not None and not folder.is_dir():
            raise UsageError(f"--credentials-dir: there is no folder {credentials_dir!r}")
        return cls(
            environ,
            home,
            unix_user(environ),
            folder,
            folder / "accounts.json" if account_file is None else user_path(account_file),
            account_file is not None,
        )

    def accounts(self) -> list[Account]:
        """Return every account: those of the account file first and in its order, the others by name.

        If several sources have an account of the same name, the folder takes precedence over the keyring, and the
        keyring over a profile.

        :raises UsageError: others can read a source, or it is malformed.
        """
        entries = self._entries()
        found: dict[str, Account] = {}
        for account in [
            *self._in_folder(entries),
            *self._in_keyring(entries),
            *profile_accounts(self.environ, self.home),
        ]:
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
        listed = ", ".join(known) or f"none: {self.credentials_dir} and the profiles in ~/.aws have no access keys"
        raise UsageError(f"there is no account {name!r}{did_you_mean(name, known)}", hint=f"the accounts are: {listed}")

    def _entries(self) -> dict[str, AccountEntry]:
        path = self.account_file
        if not path.exists() and not self.account_file_given:
            return {}
        hint = 'expected JSON such as {"work": "arn:aws:iam::012123456789:"}'
        try:
            document = json.loads(read_small(path, what="account", hint=hint))
        except ValueError as error:
            raise UsageError(f"the account file {path} is not JSON", hint=hint) from error
        if not isinstance(document, dict):
            raise UsageError(f"the account file {path} is not a JSON object", hint=hint)
        entries = {}
        for name, arn in document.items():
            match = _ARN.fullmatch(arn) if isinstance(arn, str) else None
            if match is None or not is_account_name(name):
                raise UsageError(f"the account file {path}: {name!r} is not a name with an account's ARN", hint=hint)
            entries[name] = AccountEntry(match["partition"], match["account_id"])
        return entries

    def _in_folder(self, entries: Mapping[str, AccountEntry]) -> list[Account]:
        if not self.credentials_dir.exists():
            return []
        check_private(self.credentials_dir)
        names = sorted(path.name.removesuffix(_SUFFIX) for path in self.credentials_dir.glob(f"*{_SUFFIX}"))
        return [
            Account(
                name,
                "folder",
                partial(_read_folder, self.credentials_dir, name),
                partition=entries.get(name, AccountEntry()).partition,
                account_id=entries.get(name, AccountEntry()).account_id,
                user=_read_line(user) if (user := self.credentials_dir / f"{name}.user").exists() else self.unix_user,
            )
            for name in names
            if is_account_name(name)
        ]

    def _in_keyring(self, entries: Mapping[str, AccountEntry]) -> list[Account]:
        return [
            Account(
                name,
                "keyring",
                partial(_read_keyring, name),
                partition=entry.partition,
                account_id=entry.account_id,
                user=_keyring_entry(f"{name}.user") or self.unix_user,
            )
            for name, entry in entries.items()
            if _keyring_entry(f"{name}{_SUFFIX}") is not None
        ]


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
    access_key, secret_key = folder / f"{name}{_SUFFIX}", folder / f"{name}.secret_key"
    for file in (access_key, secret_key):
        if file.exists():
            check_private(file)
    return parse_credentials(str(access_key), _read_line(access_key), Secret(_read_line(secret_key)))


def _read_line(path: Path) -> str:
    content = read_small(path, what="key", hint="expected a text file with one line", most=4096)
    return content.decode("utf-8", "replace").strip()


def _read_keyring(name: str) -> Credentials:
    access_key, secret_key = _keyring_entry(f"{name}{_SUFFIX}"), _keyring_entry(f"{name}.secret_key")
    if access_key is None or secret_key is None:
        missing = f"{name}{_SUFFIX}" if access_key is None else f"{name}.secret_key"
        raise UsageError(f"the keyring has no {missing}", hint=f"set it with: keyring set {SERVICE} {missing}")
    return parse_credentials(f"keyring entry {name}", access_key.strip(), Secret(secret_key.strip()))


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
