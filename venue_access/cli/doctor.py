"""The command ``doctor``."""

from __future__ import annotations

import os
from pathlib import Path

from invoke.context import Context

from venue_access import console
from venue_access.cli.command import command, configured


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

    home = Path(os.environ.get("HOME") or Path.home())
    checks = examine(configured(context, inventory), venue, limit, os.environ, home)
    if json:
        console.result_json({"checks": [check.document() for check in checks]})
    else:
        console.result("\n".join(check.line() for check in checks))
    conclude(checks)
