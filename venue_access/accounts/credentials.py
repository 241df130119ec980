"""``venue-access-credentials``: the ``credential_process`` of AWS profiles, so that AWS tools refresh by themselves.

    venue-access-credentials --venue unity-dev [--user NAME] [--duration 1h] [--inventory PATH] [--source-profile NAME]
                             [--timeout 5m]
    venue-access-credentials --account work

While what it answered last is good for five minutes more it answers that again, before anything but what Python itself
has loaded is imported: an AWS tool runs it at each start.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable

from venue_access.accounts.credential_cache import answer_file, still_good
from venue_access.hardening import harden_process


def main(clock: Callable[[], float] = time.time) -> int:
    """Answer, and return the exit code."""
    harden_process()
    arguments = sys.argv[1:]
    kept = answer_file(arguments, os.environ)
    text = None if kept is None else still_good(kept, clock())
    if text is not None and _printed(text):
        return 0
    from venue_access.accounts.credential_process import answer_from_aws

    return answer_from_aws(arguments, kept)


def _printed(text: str) -> bool:
    """Print, the one time beside ui.py: importing that takes longer than all of this; False where it fails."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError:
        return False
    return True
