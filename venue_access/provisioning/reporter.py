"""Where a run tells what it does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Reporter:
    """``now`` and its ``detail`` replace themselves; ``line`` and ``warn`` stay; ``done`` ends it."""

    now: Callable[[str], None] = lambda text: None
    detail: Callable[[str], None] = lambda text: None
    line: Callable[[str], None] = lambda text: None
    warn: Callable[[str], None] = lambda text: None
    done: Callable[[], None] = lambda: None
