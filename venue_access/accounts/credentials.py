"""``venue-access-credentials``: the ``credential_process`` of AWS profiles, which renews their credentials.

    venue-access-credentials --venue unity-dev [--user NAME] [--duration 1h] [--inventory PATH] [--source-profile NAME]
                             [--timeout 5m]
    venue-access-credentials --account work

AWS tools run it at each start. A cached response that lasts for five more minutes is therefore printed without
importing anything beyond what Python loads at startup.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence

from venue_access.sensitive import harden_process

_MARGIN = 300  # seconds; the same as cache.MARGIN, which would have to be imported
_LONGEST_NAME = 200
_LARGEST = 65_536  # bytes


def main(clock: Callable[[], float] = time.time) -> int:
    """Print credentials, and return the exit code."""
    harden_process()
    arguments = sys.argv[1:]
    file = response_file(arguments, os.environ)
    response = None if file is None else cached_response(file, clock())
    if response is not None and _print(response):
        return 0
    from venue_access.accounts.credential_process import respond

    return respond(arguments, file)


def response_file(arguments: Sequence[str], environ: Mapping[str, str]) -> str | None:
    """Return the file that caches the response to these arguments; None if there is none.

    The file's name is everything that the response depends on, in letters, digits and ``%XX``: hashing it would take an
    import.
    """
    if not arguments:
        return None
    settings = [environ.get(name, "") for name in ("INVOKE_INVENTORY", "INVOKE_WORKDIR")]
    current = os.getcwd() if any(part and not part.startswith("/") for part in [*settings, *arguments]) else ""
    key = "\0".join([*arguments, "", *settings, current])
    name = "".join(char if char.isalnum() and char.isascii() else f"%{ord(char):x}" for char in key)
    if len(name) > _LONGEST_NAME:
        import hashlib  # takes as long as everything else here, and few names are this long

        name = hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()
    home = environ.get("XDG_CACHE_HOME") or os.path.join(environ.get("HOME", ""), ".cache")
    return os.path.join(home, "venue-access", f"process-{name}.json") if os.path.isabs(home) else None


def cached_response(path: str, now: float) -> str | None:
    """Return the cached response, if only its owner can read it and it lasts for five more minutes."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        status = os.fstat(descriptor)
        text = os.read(descriptor, _LARGEST).decode("utf-8", "replace")
    finally:
        os.close(descriptor)
    if status.st_mode & 0o077 or status.st_uid != os.geteuid() or not text.endswith("}\n"):
        return None
    response = text[: text.index("\n") + 1]  # the second line is the origin: see cache.py
    # Times in this format compare as texts do.
    _, _, expiration = response.partition('"Expiration": "')
    earliest = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now + _MARGIN))
    return response if expiration[: len(earliest)] > earliest else None


def _print(text: str) -> bool:
    """Print without console.py, whose import takes longer than all of this; return False if that fails."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError:
        return False
    return True
