"""The flags that scope a token, each value checked: AWS would take many a slip and grant nothing, or too much."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from venue_access.errors import UsageError
from venue_access.inventory.validators import InvalidValue, cidr
from venue_access.policies.session import TokenScope

if TYPE_CHECKING:
    from venue_access.policies.session_file import PolicyFile

_REPOSITORY = re.compile(r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*", re.ASCII)
_KEY_BYTES = 1024  # of an object's key (S3 User Guide, "Naming Amazon S3 objects")


def scope(
    *,
    read_only: bool = False,
    s3_prefix: str | None = None,
    ecr_repository: str | None = None,
    no_s3: bool = False,
    no_ecr: bool = False,
    source_ip: str | None = None,
    policy: PolicyFile | None = None,
) -> TokenScope:
    """The scope that flags ask for; several values of one are separated by commas.

    :raises UsageError: a value is none, or two flags exclude each other.
    """
    return TokenScope(
        read_only=read_only,
        s3_prefixes=_several("--s3-prefix", s3_prefix, _prefix),
        ecr_repositories=_several("--ecr-repository", ecr_repository, _repository),
        no_s3=no_s3,
        no_ecr=no_ecr,
        source_cidrs=_several("--source-ip", source_ip, cidr),
        policy=policy,
    )


def _several(flag: str, given: str | None, check: Callable[[str], str]) -> tuple[str, ...]:
    if given is None:
        return ()
    try:
        return tuple(dict.fromkeys(check(each.strip(" ")) for each in given.split(",")))
    except InvalidValue as error:
        raise UsageError(f"{flag}: {error}") from error


def _prefix(text: str) -> str:
    if not text:
        raise InvalidValue("a prefix is empty; leave the flag out for the whole bucket")
    if text.startswith(("s3://", "arn:")):
        raise InvalidValue(f"{text!r} must be the part after the bucket's name")
    if text.startswith("/"):
        raise InvalidValue(f"{text!r} begins with '/', and keys of objects do not; write {text.lstrip('/')}")
    if "*" in text or "?" in text or "${" in text:
        raise InvalidValue(f"{text!r} has a wildcard or a variable; a prefix is what the keys begin with, as it is")
    if not text.isprintable():
        raise InvalidValue(f"{text!r} holds a control character")
    beyond = [char for char in text if char > "\u00ff"]
    if beyond:
        raise InvalidValue(f"{text!r} has {beyond[0]!r}, and a session policy takes characters up to U+00FF only")
    if len(text.encode()) > _KEY_BYTES:
        raise InvalidValue(f"a prefix of {len(text.encode())} bytes: keys of objects have {_KEY_BYTES} at most")
    return f"{text.rstrip('/')}/"


def _repository(text: str) -> str:
    if not _REPOSITORY.fullmatch(text) or len(text) > 256:
        raise InvalidValue(
            f"{text!r} is no name of a repository: lower-case letters, digits and single '.', '_', '-', '/'"
        )
    return text
