"""Whatever an inventory holds, it is read or refused: nothing else escapes. VENUE_ACCESS_SOAK=1 tries much more."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.inventory.builders import inventory_of
from venue_access.errors import InventoryError, UsageError
from venue_access.inventory.documents import parse
from venue_access.inventory.group_builder import expand_range
from venue_access.inventory.groups import UnsafeText, Vaulted
from venue_access.inventory.model import Venue, find_recipient
from venue_access.inventory.patterns import select
from venue_access.inventory.schema import VARIABLES
from venue_access.inventory.venues import build_venues

EXAMPLES = settings(max_examples=300 * (20 if os.environ.get("VENUE_ACCESS_SOAK") else 1), deadline=None)
WORDS = st.sampled_from(
    [
        "dev",
        "*",
        "",
        "\0",
        "arn:aws:iam::111122223333:role/x",
        "arn:::::",
        "arn:aws:sts::1:assumed-role/",
        "s3",
        "http://[",
    ]
)
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.dates(), WORDS, st.text(max_size=5), st.binary(max_size=3),
    WORDS.map(UnsafeText), st.builds(Vaulted, WORDS),
)  # fmt: skip
KEYS = (
    st.sampled_from(["backend", "bucket", "key_prefix", "alice", "email", "keys", "venues"]) | st.text() | st.integers()
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=6
)


@EXAMPLES
@given(st.dictionaries(st.sampled_from(VARIABLES) | st.text(max_size=12), VALUES, max_size=4), WORDS)
def test_random_values_are_valid_or_an_inventory_error(variables: dict[str, Any], user: str) -> None:
    with suppress(InventoryError):
        for venue in build_venues(inventory_of(unity_dev=variables, unity_test={})).values():
            assert isinstance(venue, Venue)
            with suppress(UsageError):
                find_recipient(venue, user)


@EXAMPLES
@given(st.text(st.sampled_from("[]{}:-,&*!<a1 \n\t\"'|>?%#@.~")) | st.text())
def test_random_text_is_parsed_or_refused(text: str) -> None:
    with suppress(ValueError):
        parse(text)


@EXAMPLES
@given(st.text(st.sampled_from("[]:ab019z-"), max_size=12))
def test_random_host_range_is_expanded_or_refused(name: str) -> None:
    with suppress(ValueError):
        assert expand_range(name)


@EXAMPLES
@given(st.text(st.sampled_from("unity-dev*?[]!&:,~(@1|\\ "), max_size=12))
def test_random_limit_selects_or_is_refused(pattern: str) -> None:
    with suppress(UsageError):
        select(inventory_of(unity_dev={}), pattern)
