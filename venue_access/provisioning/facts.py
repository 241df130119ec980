"""What is known of a provisioned venue, one file a venue in the work directory; nothing confidential."""

from __future__ import annotations

import json
from collections.abc import Sequence

from venue_access.config import Settings
from venue_access.files import write_private_if_changed
from venue_access.inventory.model import Venue


def write_facts(settings: Settings, venue: Venue, buckets: Sequence[str]) -> None:
    """Write a venue's facts, unless they stand there already."""
    facts = {
        "venue": venue.name,
        "account_id": venue.account_id,
        "region": venue.region,
        "role_arn": venue.role_arn,
        "external_id_parameter": venue.external_id_parameter,
        "s3_buckets": list(buckets),
        "ecr_repository_prefixes": list(venue.ecr_repository_prefixes),
        "max_session_duration": venue.max_session_duration,
    }
    write_private_if_changed(settings.folder("facts") / f"{venue.name}.json", json.dumps(facts, indent=2) + "\n")


def forget_facts(settings: Settings, name: str) -> None:
    """Remove a venue's facts."""
    (settings.folder("facts") / f"{name}.json").unlink(missing_ok=True)
