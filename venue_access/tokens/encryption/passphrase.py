"""Passphrases that can be told over the telephone."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from venue_access.sensitive import Secret

_CONSONANTS, _VOWELS = "bdfghjklmnprstvz", "aiou"


def generate(random_bytes: Callable[[int], bytes] = secrets.token_bytes) -> Secret:
    """128 random bits as eight words that can be said: ``lusab-babad-gutih-...`` (proquints, arXiv:0901.4016).

    As strong as the file key of age itself; the words need no list, and hold neither digits nor capitals.
    """
    drawn = random_bytes(16)
    return Secret("-".join(_word(int.from_bytes(drawn[at : at + 2], "big")) for at in range(0, 16, 2)))


def _word(bits: int) -> str:
    """Sixteen bits: four for each consonant, two for each vowel."""
    letters = ((12, _CONSONANTS), (10, _VOWELS), (6, _CONSONANTS), (4, _VOWELS), (0, _CONSONANTS))
    return "".join(alphabet[(bits >> shift) % len(alphabet)] for shift, alphabet in letters)
