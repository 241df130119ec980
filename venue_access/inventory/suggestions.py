"""Suggest the names that are probably meant."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import SequenceMatcher, get_close_matches
from functools import lru_cache

_MAX_NAMES = 1000
_MAX_LENGTH = 64
_MAX_MISSPELT = 128
"""Characters: difflib's time grows with the product of two lengths."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"`` for the nearest of ``known``; empty if none is near, or there are too many."""
    names = tuple(known)
    return _did_you_mean(word, names) if len(names) <= _MAX_NAMES and len(word) <= _MAX_LENGTH else ""


@lru_cache(maxsize=256)
def _did_you_mean(word: str, known: tuple[str, ...]) -> str:
    folded = {name.casefold(): name for name in known if len(name) <= _MAX_LENGTH}
    near = get_close_matches(word.casefold(), folded, n=1, cutoff=0.7)
    return f"; did you mean {folded[near[0]]!r}?" if near else ""


@lru_cache(maxsize=4096)
def misspelt(word: str, known: tuple[str, ...]) -> str | None:
    """Return the name of ``known`` that ``word`` misspells, or None.

    That is one letter wrong, missing, added or moved, or a difference only in ``-``, ``_``, case or a plural. A
    ``word`` that is known itself misspells nothing.
    """
    if word in known or len(word) > _MAX_MISSPELT:
        return None
    bare = _bare(word)
    return next((name for name in known if _is_near(word, name) or bare == _bare(name)), None)


@lru_cache(maxsize=1024)
def _bare(word: str) -> str:
    return re.sub("e?s$", "", re.sub("[-_]", "", word).casefold())


def _is_near(one: str, other: str) -> bool:
    """Return whether all letters of the longer but one are in the other, in order."""
    longest = max(len(one), len(other))
    if longest > _MAX_MISSPELT or abs(len(one) - len(other)) > 1 or len(set(one) ^ set(other)) > 2:
        return False
    blocks = SequenceMatcher(None, one, other, autojunk=False).get_matching_blocks()
    return sum(block.size for block in blocks) >= longest - 1
