"""Names that somebody probably meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from functools import lru_cache

_MOST = 1000


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``"; did you mean 'x'?"`` for the nearest of ``known``, or nothing where none is near or there are too many."""
    names = tuple(known)
    return _did_you_mean(word, names) if len(names) <= _MOST and len(word) <= _MOST else ""


@lru_cache(maxsize=256)
def _did_you_mean(word: str, known: tuple[str, ...]) -> str:
    folded = {name.casefold(): name for name in known}
    near = get_close_matches(word.casefold(), folded, n=1, cutoff=0.7)
    return f"; did you mean {folded[near[0]]!r}?" if near else ""


@lru_cache(maxsize=4096)
def misspelt(word: str, known: tuple[str, ...]) -> str | None:
    """The name of ``known`` that ``word`` is a slip of: one edit away, or equal but for ``-``, ``_`` and case.

    Two neighbouring letters swapped count as one edit. A ``word`` that is itself known is no slip.
    """
    if word in known:
        return None
    for name in known:
        if _bare(word) == _bare(name) or _one_edit(word, name):
            return name
    return None


def _bare(word: str) -> str:
    return word.replace("-", "").replace("_", "").casefold()


def _one_edit(one: str, other: str) -> bool:
    if abs(len(one) - len(other)) > 1:
        return False
    start = 0
    while start < min(len(one), len(other)) and one[start] == other[start]:
        start += 1
    rest, others = one[start:], other[start:]
    swapped = rest[:2] == others[:2][::-1] and rest[2:] == others[2:]
    return rest[1:] == others or rest == others[1:] or rest[1:] == others[1:] or swapped
