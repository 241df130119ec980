"""Keys in a folder: ``NAME.access_key``, ``NAME.secret_key`` and, where it is not the Unix user's name, ``NAME.user``.

Beside them the account file, JSON: ``{"work": "arn:aws:iam::012123456789:", ...}``. Both are those of 42Lines' tools.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from venue_access.accounts.account import Account, fits, keys_of
from venue_access.aws.client import Credentials
from venue_access.errors import UsageError
from venue_access.files import check_private, read_small
from venue_access.sensitive import Secret

_ARN = re.compile(r"arn:(?P<partition>aws[a-z-]*):iam::(?P<account_id>\d{12}):", re.ASCII)
_ENDING = ".access_key"


@dataclass(frozen=True)
class AccountEntry:
    """What the account file says of an account."""

    partition: str
    account_id: str


def account_file(path: Path, *, must_exist: bool) -> dict[str, AccountEntry]:
    """The account file: names and whose accounts they are, in its order.

    :raises UsageError: it is no such file, or it is missing and was asked for.
    """
    if not path.exists() and not must_exist:
        return {}
    hint = 'it is JSON such as {"work": "arn:aws:iam::012123456789:"}'
    try:
        document = json.loads(read_small(path, what="account", hint=hint))
    except ValueError as error:
        raise UsageError(f"the account file {path} is not JSON", hint=hint) from error
    if not isinstance(document, dict):
        raise UsageError(f"the account file {path} has no names in it", hint=hint)
    found = {}
    for name, arn in document.items():
        written = _ARN.fullmatch(arn) if isinstance(arn, str) else None
        if written is None or not fits(name):
            raise UsageError(f"the account file {path}: {name!r} is not a name with an account's ARN", hint=hint)
        found[name] = AccountEntry(written["partition"], written["account_id"])
    return found


def in_folder(folder: Path, named: Mapping[str, AccountEntry], unix_user: str) -> list[Account]:
    """The accounts whose keys are in a folder; none where there is no such folder.

    :raises UsageError: others can look into it.
    """
    if not folder.exists():
        return []
    check_private(folder)
    names = sorted(path.name.removesuffix(_ENDING) for path in folder.glob(f"*{_ENDING}"))
    return [_account(folder, name, named.get(name), unix_user) for name in names if fits(name)]


def _account(folder: Path, name: str, named: AccountEntry | None, unix_user: str) -> Account:
    user = folder / f"{name}.user"
    return Account(
        name,
        "folder",
        str(folder / f"{name}{_ENDING}"),
        partial(_keys, folder, name),
        partition=named.partition if named else "aws",
        account_id=named.account_id if named else None,
        user=_line(user) if user.exists() else unix_user,
    )


def _keys(folder: Path, name: str) -> Credentials:
    access_key, secret_key = folder / f"{name}{_ENDING}", folder / f"{name}.secret_key"
    for file in (access_key, secret_key):
        if file.exists():
            check_private(file)
    return keys_of(str(access_key), _line(access_key), Secret(_line(secret_key)))


def _line(path: Path) -> str:
    content = read_small(path, what="key", hint="it is a text of one line", most=4096)
    return content.decode("utf-8", "replace").strip()
