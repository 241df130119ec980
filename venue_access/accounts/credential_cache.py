"""What ``venue-access-credentials`` answered last: found and judged with nothing but what Python itself has loaded."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence

_MARGIN = 300
"""Seconds: as ``cache.MARGIN``, which would have to be imported."""
_LONGEST_NAME = 200
_MOST = 65_536


def answer_file(arguments: Sequence[str], environ: Mapping[str, str]) -> str | None:
    """Where the answer to these arguments is kept; None where it is to be worked out each time.

    What it depends on is the name itself, in letters, digits and ``%XX``, so that there is nothing to hash.
    """
    named = [environ.get(name, "") for name in ("INVOKE_INVENTORY", "INVOKE_WORKDIR")]
    where = os.getcwd() if any(part and not part.startswith("/") for part in [*named, *arguments]) else ""
    asked = "\0".join([*arguments, "", *named, where])
    name = "".join(each if each.isalnum() and each.isascii() else f"%{ord(each):x}" for each in asked)
    if not arguments:
        return None
    if len(name) > _LONGEST_NAME:
        import hashlib  # takes as long as the rest, and few need it

        name = hashlib.sha256(asked.encode("utf-8", "surrogateescape")).hexdigest()
    home = environ.get("XDG_CACHE_HOME") or os.path.join(environ.get("HOME", ""), ".cache")
    return os.path.join(home, "venue-access", f"process-{name}.json") if os.path.isabs(home) else None


def still_good(path: str, now: float) -> str | None:
    """The answer that is kept in a file, if it is the owner's alone and lasts for a while."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        about = os.fstat(descriptor)
        text = os.read(descriptor, _MOST).decode("utf-8", "replace")
    finally:
        os.close(descriptor)
    if about.st_mode & 0o077 or about.st_uid != os.geteuid() or not text.endswith("}\n"):
        return None
    answer = text[: text.index("\n") + 1]  # the next line says whose credentials they are: see cache.py
    # UTC as AWS writes it: of two such times the later is the greater text.
    _, _, expiration = answer.partition('"Expiration": "')
    margin = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now + _MARGIN))
    return answer if expiration[: len(margin)] > margin else None
