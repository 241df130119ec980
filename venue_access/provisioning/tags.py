"""The tags of a venue's resources."""

from __future__ import annotations

import re

from venue_access.inventory.model import Venue
from venue_access.inventory.validators import OWN_TAGS

CAPABILITY_VERSION = "1"
"""Raised when what a role grants changes, and not with each release: a new tag is a change at every venue."""

STACK_TAG = f"{OWN_TAGS}stack"
"""The tag that names the stack whose state has the venue. The platform's convention has a tag ``Stack`` of its own."""


def tags(venue: Venue) -> dict[str, str]:
    """Return the tags of a venue's resources: those of the platform's convention, the inventory's, and the kit's own.

    The convention's values are lower-case letters and digits; ``Env``, ``CreatedBy`` and ``Stack`` repeat other tags.
    A tag of the inventory replaces a conventional one of any case, because IAM takes no two keys that differ only
    in it (IAM User Guide, "Tags for AWS Identity and Access Management resources").
    """
    own = {key.lower(): value for key, value in venue.tags.items()}
    venue_name, service_area, component = (
        own.get(key, value)
        for key, value in (("venue", _plain(venue.venue)), ("servicearea", "cs"), ("component", "venueaccess"))
    )
    convention = {
        "Name": venue.role_name.lower(),
        "Proj": _plain(venue.project),
        "Venue": venue_name,
        "Env": venue_name,
        "ServiceArea": service_area,
        "CreatedBy": service_area,
        "Capability": "sts",
        "CapVersion": CAPABILITY_VERSION,
        "Component": component,
        "Stack": component,
    }
    return {
        **{key: value for key, value in convention.items() if key.lower() not in own},
        **venue.tags,
        STACK_TAG: venue.stack,
    }


def _plain(name: str) -> str:
    return re.sub("[^a-z0-9]", "", name.lower())
