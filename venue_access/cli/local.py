"""The AWS emulator: start, stop, look."""

from __future__ import annotations

from invoke.context import Context

from venue_access import console
from venue_access.cli.command import command, configured, dry, open_app


@command(called="up", timeout=None)
def local_up(context: Context, inventory: str | None = None) -> None:
    """Start the AWS emulator, with the resources that the inventory expects to exist."""
    app = open_app(context, inventory)
    if dry(context, f"start the AWS emulator in {app.settings.work_directory}, unless it is up"):
        return
    if not app.accounts.start_emulator():
        console.say("the AWS emulator is up already")


@command(called="down", timeout=None)
def local_down(context: Context) -> None:
    """Stop the AWS emulator; its state is preserved."""
    from venue_access.emulator.server import aws_emulator

    local = aws_emulator(configured(context).work_directory)
    if context.config.run.dry:
        console.say("would stop the AWS emulator" if local.is_running() else "the AWS emulator is not up")
        return
    stopped = local.down()
    console.say("stopped the AWS emulator" if stopped else "the AWS emulator is not up")


@command(called="status", timeout=None)
def local_status(context: Context) -> None:
    """Show the endpoint of the AWS emulator, and the settings for the AWS CLI."""
    from venue_access.emulator.server import aws_emulator

    console.result("\n".join(aws_emulator(configured(context).work_directory).describe()))
