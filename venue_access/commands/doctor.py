"""Whether everything is fit for the work."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from invoke.context import Context

from venue_access import ui
from venue_access.commands.command import command, configured, kit

if TYPE_CHECKING:
    from venue_access.inventory.model import Venue
    from venue_access.kit import Kit


@command()
def doctor(
    context: Context,
    venue: str | None = None,
    limit: str | None = None,
    json: bool = False,
    inventory: str | None = None,
) -> None:
    """Look at Python, Terraform, keys, clock, inventory and file modes; say what is wrong and what to do."""
    from venue_access.doctor.check import conclude
    from venue_access.doctor.doctor import examine

    def chosen(here: Kit) -> Sequence[Venue]:
        everything = venue is None and limit is None
        return list(here.venues.values()) if everything else here.chosen(venue, limit)

    home = Path(os.environ.get("HOME") or Path.home())
    checks = examine(configured(context, inventory), lambda: kit(context, inventory), chosen, os.environ, home)
    if json:
        ui.result_json({"checks": [check.document() for check in checks]})
    else:
        ui.result("\n".join(check.line() for check in checks))
    conclude(checks)
