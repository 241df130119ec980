"""Whether everything is fit for the work."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from invoke.context import Context

from venue_access import console
from venue_access.cli.command import command, configured, open_app

if TYPE_CHECKING:
    from venue_access.app import App
    from venue_access.inventory.model import Venue


@command()
def doctor(
    context: Context,
    venue: str | None = None,
    limit: str | None = None,
    json: bool = False,
    inventory: str | None = None,
) -> None:
    """Check Python, Terraform, credentials, clock, inventory and file modes, and print remedies."""
    from venue_access.doctor.check import conclude
    from venue_access.doctor.doctor import examine

    def chosen(app: App) -> Sequence[Venue]:
        everything = venue is None and limit is None
        return list(app.venues.values()) if everything else app.chosen(venue, limit)

    home = Path(os.environ.get("HOME") or Path.home())
    checks = examine(configured(context, inventory), lambda: open_app(context, inventory), chosen, os.environ, home)
    if json:
        console.result_json({"checks": [check.document() for check in checks]})
    else:
        console.result("\n".join(check.line() for check in checks))
    conclude(checks)
