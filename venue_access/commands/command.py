"""What every command is made with: a task whose expected failures are one message, its settings, its progress."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import task

from venue_access import deadline, ui
from venue_access.config import Settings, settings
from venue_access.errors import RequestError, VenueAccessError, of_the_system

if TYPE_CHECKING:
    from venue_access.kit import Kit
    from venue_access.provisioning.reporter import Reporter

CHECKOUT = Path(__file__).resolve().parents[2]
"""The folder of ``invoke.yaml``."""

HELP = {
    "venue": "the venue: unity-dev, or dev where only one project has it",
    "limit": "venues by Ansible's patterns, such as 'unity:!unity-test'",
    "inventory": "an inventory file or folder (or INVOKE_INVENTORY)",
    "json": "print one JSON document",
    "yes": "do not ask",
    "timeout": f"how long AWS may take, over the whole command: {deadline.DEFAULT} (default), 90s",
}
LOCK_TIMEOUT = "how long to wait for another run on the stack: 5m, 0"


def command(
    *, called: str | None = None, positional: Sequence[str] = (), timeout: str | None = deadline.DEFAULT, **texts: str
) -> Callable[[Callable[..., None]], Any]:
    """An Invoke task whose expected failures are one message and an exit code; ``texts`` is the help of its flags.

    :param timeout: the default of its ``--timeout``. None is for a command that asks nothing of AWS, or runs Terraform:
        it has no such flag, and each of its calls to AWS has its own limit.
    """

    def decorate(function: Callable[..., None]) -> Any:
        signature = inspect.signature(function)
        known = dict(signature.parameters)
        required = [flag for flag, each in known.items() if each.default is each.empty and flag not in positional][1:]

        @functools.wraps(function)
        def run(context: Context, *arguments: Any, **flags: Any) -> None:
            try:
                for flag in required:  # Invoke hands over None
                    if flags.get(flag) is None:
                        raise RequestError(f"--{flag.replace('_', '-')} is required")
                given = flags.pop("timeout", None)
                limit = timeout if given is None else given
                with deadline.time_limit(seconds_of(limit, "--timeout"), limit or ""):
                    function(context, *arguments, **flags)
            except VenueAccessError as error:
                ui.error(str(error))
                raise Exit(code=error.exit_code) from None
            except KeyboardInterrupt:
                ui.error("interrupted")
                raise Exit(code=130) from None
            except BrokenPipeError:
                raise
            except OSError as error:
                told = of_the_system(error)
                ui.error(str(told))
                raise Exit(code=told.exit_code) from None

        if timeout is not None:
            own = inspect.Parameter("timeout", inspect.Parameter.KEYWORD_ONLY, default=None)
            known["timeout"] = own
            run.__dict__["__signature__"] = signature.replace(parameters=list(known.values()))
        flags = {flag: text for flag, text in {**HELP, **texts}.items() if flag in known}
        return task(name=called, help=flags, positional=positional, auto_shortflags=False)(run)

    return decorate


def configured(context: Context, inventory: str | None = None) -> Settings:
    """The settings of this run."""
    return settings(dict(context.config), root=CHECKOUT, inventory=inventory)


def seconds_of(text: str | None, flag: str) -> int | None:
    """A length of time such as 5m, where one was given."""
    from venue_access.tokens.durations import length

    return None if text is None else length(text, flag)


def kit(context: Context, inventory: str | None) -> Kit:
    """The inventory's venues, and the ways to their accounts."""
    from venue_access.kit import Kit

    return Kit.open(configured(context, inventory))


@contextmanager
def reporting() -> Iterator[Reporter]:
    """Progress on the terminal, a line in place, with lines that stay; gone when the work is."""
    with reporters() as reporter:
        yield reporter()


@contextmanager
def reporters(*, side_by_side: bool = False) -> Iterator[Callable[[], Reporter]]:
    """As ``reporting``, one for each piece of work."""
    from venue_access.provisioning.reporter import Reporter

    board = ui.Board(side_by_side=side_by_side)

    def reporter() -> Reporter:
        row = board.row()
        return Reporter(now=row.show, detail=row.detail, line=row.say, warn=row.warn, done=row.done)

    try:
        yield reporter
    finally:
        board.clear()
