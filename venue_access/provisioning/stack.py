"""Stacks: which venues share one Terraform root module and state, and what a state (format version 4) holds."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from venue_access.inventory.model import StateBackend, Venue
from venue_access.inventory.validators import OWN_TAGS


@dataclass(frozen=True)
class StateLocation:
    """The place of a stack's state: an object in S3, or the stack's folder in the work directory."""

    bucket: str | None = None
    key: str = ""
    region: str = field(default="", compare=False)
    kms_key_id: str | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return "the work directory" if self.bucket is None else f"s3://{self.bucket}/{self.key}"


@dataclass(frozen=True)
class Stack:
    """One root module with one state, and its venues in order of name.

    The inventory is checked for what they must agree on (``inventory.cross_validation.SHARED_IN_A_STACK``).
    """

    name: str
    venues: tuple[Venue, ...]

    @property
    def account_id(self) -> str:
        return self.venues[0].account_id

    @property
    def region(self) -> str:
        return self.venues[0].region

    @property
    def state(self) -> StateBackend:
        return self.venues[0].state

    @property
    def state_location(self) -> StateLocation:
        """Return where the inventory puts the state; in S3 at ``<key_prefix>/<stack>/terraform.tfstate``."""
        state = self.state
        if state.bucket is None:
            return StateLocation()
        key = "/".join(filter(None, [state.key_prefix.strip("/"), self.name, "terraform.tfstate"]))
        return StateLocation(state.bucket, key, state.region or self.region, state.kms_key_id)


def group_into_stacks(venues: Iterable[Venue]) -> list[Stack]:
    """Return the stacks of these venues, in order of name.

    Pass every venue of the inventory, not only the selected ones: a root module without a venue destroys it.
    """
    in_order = sorted(venues, key=lambda venue: (venue.stack, venue.name))
    return [Stack(name, tuple(members)) for name, members in groupby(in_order, key=lambda venue: venue.stack)]


def stack_of(venues: Mapping[str, Venue], venue: Venue) -> Stack:
    """Return a venue's stack, with all of its venues in the inventory."""
    return next(stack for stack in group_into_stacks(venues.values()) if stack.name == venue.stack)


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
    project, venue_name = (re.sub("[^a-z0-9]", "", name.lower()) for name in (venue.project, venue.venue))
    venue_name = own.get("venue", venue_name)
    service_area, component = own.get("servicearea", "cs"), own.get("component", "venueaccess")
    convention = {
        "Name": venue.role_name.lower(),
        "Proj": project,
        "Venue": venue_name,
        "Env": venue_name,
        "ServiceArea": service_area,
        "CreatedBy": service_area,
        "Capability": "sts",
        "CapVersion": CAPABILITY_VERSION,
        "Component": component,
        "Stack": component,
    }
    conventional = {key: value for key, value in convention.items() if key.lower() not in own}
    return {**conventional, **venue.tags, STACK_TAG: venue.stack}


@dataclass(frozen=True)
class StateResources:
    """The addresses of the managed resources in a state."""

    addresses: frozenset[str] = frozenset()
    tainted: frozenset[str] = frozenset()
    """Those whose creation was cut short, which Terraform would replace."""


def resources_in(state: Mapping[str, Any]) -> StateResources:
    """Return the managed resources in a state."""
    found: dict[str, bool] = {}
    for resource in state.get("resources", ()):
        if resource["mode"] != "managed":
            continue
        base = f"{resource['type']}.{resource['name']}"
        if "module" in resource:
            base = f"{resource['module']}.{base}"
        for instance in resource["instances"]:
            key = instance.get("index_key")
            found[base if key is None else f"{base}[{json.dumps(key)}]"] = instance.get("status") == "tainted"
    return StateResources(frozenset(found), frozenset(address for address, tainted in found.items() if tainted))


def parse_state(text: str | bytes) -> dict[str, Any] | None:
    """Return a state; None if the text is not one, such as a truncated file."""
    try:
        state: dict[str, Any] = json.loads(text)
        resources_in(state)
    except (ValueError, LookupError, TypeError, AttributeError):
        return None
    return state
