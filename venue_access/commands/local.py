"""The embedded AWS: start, stop, look."""

from __future__ import annotations

from invoke.context import Context

from venue_access import ui
from venue_access.commands.command import command, configured, dry, kit


@command(called="up", timeout=None)
def local_up(context: Context, inventory: str | None = None) -> None:
    """Start the embedded AWS, with what the inventory says exists already."""
    here = kit(context, inventory)
    if dry(context, f"start the embedded AWS in {here.settings.work_directory}, unless it is up"):
        return
    if not here.accounts.start_embedded():
        ui.say("the embedded AWS is up already")


@command(called="down", timeout=None)
def local_down(context: Context) -> None:
    """Stop the embedded AWS; its state is kept."""
    from venue_access.local_aws import local_aws

    local = local_aws(configured(context).work_directory)
    if context.config.run.dry:
        ui.say("would stop the embedded AWS" if local.is_running() else "the embedded AWS is not up")
        return
    stopped = local.down()
    ui.say("stopped the embedded AWS" if stopped else "the embedded AWS is not up")


@command(called="status", timeout=None)
def local_status(context: Context) -> None:
    """Show where the embedded AWS answers, and how to point the AWS CLI at it."""
    from venue_access.local_aws import local_aws

    ui.result("\n".join(local_aws(configured(context).work_directory).describe()))
