"""The embedded AWS: start, stop, look."""

from __future__ import annotations

from invoke.context import Context

from venue_access import console
from venue_access.cli.command import command, configured, dry, open_app


@command(called="up", timeout=None)
def local_up(context: Context, inventory: str | None = None) -> None:
    """Start the embedded AWS, with what the inventory says exists already."""
    app = open_app(context, inventory)
    if dry(context, f"start the embedded AWS in {app.settings.work_directory}, unless it is up"):
        return
    if not app.accounts.start_embedded():
        console.say("the embedded AWS is up already")


@command(called="down", timeout=None)
def local_down(context: Context) -> None:
    """Stop the embedded AWS; its state is kept."""
    from venue_access.emulator.server import local_aws

    local = local_aws(configured(context).work_directory)
    if context.config.run.dry:
        console.say("would stop the embedded AWS" if local.is_running() else "the embedded AWS is not up")
        return
    stopped = local.down()
    console.say("stopped the embedded AWS" if stopped else "the embedded AWS is not up")


@command(called="status", timeout=None)
def local_status(context: Context) -> None:
    """Show where the embedded AWS answers, and how to point the AWS CLI at it."""
    from venue_access.emulator.server import local_aws

    console.result("\n".join(local_aws(configured(context).work_directory).describe()))
