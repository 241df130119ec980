"""Host ranges of an inventory: ``demo-[01:03]`` is three hosts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import product
from string import ascii_letters

from venue_access.inventory.limits import MOST_HOSTS

_RANGE = re.compile(r"\[([^\[\]]*)\]")


def expand(name: str) -> list[str]:
    """The hosts that a host entry stands for, in Ansible's order; a plain name stands for itself.

    A range is ``[begin:end]`` or ``[begin:end:step]``, both ends included: numbers, padded where ``begin`` is
    written with zeros, or single letters; a name may hold several. Source: Ansible's "How to build your
    inventory", adding ranges of hosts.

    :raises ValueError: the range is malformed or empty, or stands for more hosts than an inventory may have.
    """
    pieces = _RANGE.split(name)
    fixed, ranges = pieces[::2], []
    if any("[" in piece or "]" in piece for piece in fixed):
        raise ValueError("a bracket of a range is not closed")
    count = 1
    for bounds in pieces[1::2]:
        ranges.append(_members(bounds))
        count *= len(ranges[-1])
        if count > MOST_HOSTS:
            raise ValueError(f"the range stands for {count} hosts, more than {MOST_HOSTS}")
    template = "{}".join(piece.replace("{", "{{").replace("}", "}}") for piece in fixed)
    return [template.format(*choice) for choice in product(*ranges)]


def _members(bounds: str) -> Sequence[str]:
    begin, end, step = _bounds(bounds)
    if begin.isalpha():
        first, last = ascii_letters.index(begin), ascii_letters.index(end)
        members: Sequence[str] = ascii_letters[first : last + 1 : step]
    else:
        width = len(begin) if begin.startswith("0") and len(begin) > 1 else 0
        if width and width != len(end):
            raise ValueError(f"the ends of the range [{bounds}] must be of equal length, as {begin} is padded")
        numbers = range(int(begin), int(end) + 1, step)
        if len(numbers) > MOST_HOSTS:
            raise ValueError(f"the range [{bounds}] stands for more than {MOST_HOSTS} hosts")
        members = [str(number).zfill(width) for number in numbers]
    if not members:
        raise ValueError(f"the range [{bounds}] is empty")
    return members


def _bounds(bounds: str) -> tuple[str, str, int]:
    found = re.fullmatch(r"([0-9]{0,9}):([0-9]{1,9})(?::([0-9]{1,9}))?", bounds) or re.fullmatch(
        r"([a-zA-Z]):([a-zA-Z])(?::([0-9]{1,9}))?", bounds
    )
    if not found:
        raise ValueError(f"the range [{bounds}] must be [begin:end] or [begin:end:step], of numbers or of letters")
    begin, end, step = found.groups()
    if step is not None and int(step) == 0:
        raise ValueError(f"the step of the range [{bounds}] is 0")
    return begin or "0", end, int(step or 1)
