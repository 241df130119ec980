"""Keys in the system's keyring, by the ``keyring`` package where it is installed and a keyring works.

A keyring does not tell what it holds, so its accounts are those of the account file. Each has two entries under the
service ``venue-access``: ``keyring set venue-access work.access_key``, ``keyring set venue-access work.secret_key``;
and perhaps ``work.user``.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from venue_access.accounts.account import Account, keys_of
from venue_access.accounts.credentials_dir import AccountEntry
from venue_access.aws.client import Credentials
from venue_access.errors import UsageError
from venue_access.sensitive import Secret

SERVICE = "venue-access"


def in_keyring(named: Mapping[str, AccountEntry], unix_user: str) -> list[Account]:
    """The accounts of the account file that the keyring has keys for; none where there is no keyring."""
    found = []
    for name, account in named.items():
        if _entry(f"{name}.access_key") is None:
            continue
        found.append(
            Account(
                name,
                "keyring",
                f"the system's keyring, {SERVICE} {name}.access_key",
                partial(_keys, name),
                partition=account.partition,
                account_id=account.account_id,
                user=_entry(f"{name}.user") or unix_user,
            )
        )
    return found


def _keys(name: str) -> Credentials:
    access_key, secret_key = _entry(f"{name}.access_key"), _entry(f"{name}.secret_key")
    if access_key is None or secret_key is None:
        missing = "access_key" if access_key is None else "secret_key"
        raise UsageError(
            f"the keyring has no {name}.{missing}", hint=f"enter it with: keyring set {SERVICE} {name}.{missing}"
        )
    return keys_of(f"keyring entry {name}", access_key.strip(), Secret(secret_key.strip()))


def _entry(name: str) -> str | None:
    try:
        import keyring
        from keyring.errors import KeyringError
    except ImportError:
        return None
    try:
        return keyring.get_password(SERVICE, name)
    except KeyringError:  # none works here, or it is locked
        return None
