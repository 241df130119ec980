"""The ``@command`` decorator: an Invoke task with exit codes, ``--timeout``, ``--dry`` and status lines."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import task

from venue_access import console, sensitive, times
from venue_access.config import Settings, root, settings
from venue_access.errors import Interrupted, UsageError, VenueAccessError, of_the_system
from venue_access.times import parse_duration

if TYPE_CHECKING:
    from venue_access.app import App
    from venue_access.provisioning.results import Reporter

HELP = {
    "venue": "select the venue: unity-dev, or dev if only one project has it",
    "limit": "select venues by Ansible's patterns, such as 'unity:!unity-test'",
    "inventory": "use this inventory file or folder (default: INVOKE_INVENTORY)",
    "json": "print one JSON document",
    "yes": "do not ask for confirmation",
    "timeout": f"limit the time of the whole command for AWS: {times.DEFAULT} (default), 90s",
}
_FREE_TEXTS = {"destination", "issuer", "profile_name", "reason", "resource", "service", "source_profile"}
_LONGEST = 1_000
_LONG_TEXTS = {
    *("code", "ecr_repository", "external_id", "limit", "recipient", "s3_prefix", "source_ip", "token", "user"),
    *("config", "credentials_dir", "inventory", "out", "policy"),  # paths, which the system limits
}
"""Flags that may be longer than ``_LONGEST``; the code that reads one checks it."""
SIMILAR_USER = "accept a --user whose name is similar to a known user's"
LOCK_TIMEOUT = "limit the wait for another run on the stack: 5m, 0"


def command(
    *, positional: Sequence[str] = (), timeout: str | None = times.DEFAULT, **texts: str
) -> Callable[[Callable[..., int | None]], Any]:
    """Make a function an Invoke task whose expected failures are one message and an exit code.

    The function returns its exit code, or None for 0; any other code ends the command line.

    :param timeout: the default of ``--timeout``. None is for commands that do not call AWS, or run Terraform: they have
        no such flag, and each call to AWS has its own limit.
    :param texts: the help of the flags, by name.
    """

    def decorate(function: Callable[..., int | None]) -> Any:
        signature = inspect.signature(function)
        known = dict(signature.parameters)
        required = {flag for flag, each in known.items() if each.default is each.empty}

        @functools.wraps(function)
        def run(context: Context, **flags: Any) -> None:
            sensitive.harden_process()
            sensitive.silence_libraries()
            failure: VenueAccessError | None = None
            code: int | None = None
            try:
                for flag, given in flags.items():
                    if given is None and flag in required:  # Invoke passes None for a missing one
                        raise UsageError(f"--{flag.replace('_', '-')} is required")
                    if isinstance(given, str):
                        check_text(flag, given)
                given = flags.pop("timeout", None)
                limit = timeout if given is None else given
                with times.time_limit(seconds_of(limit, "--timeout"), limit or ""):
                    code = function(context, **flags)
            except VenueAccessError as error:
                failure = error
            except KeyboardInterrupt:
                failure = Interrupted("interrupted")
            except OSError as error:
                failure = of_the_system(error)
            if failure is not None:
                console.error(str(failure))
                code = failure.exit_code
            if code:
                raise Exit(code=code)

        if timeout is not None:
            known["timeout"] = inspect.Parameter("timeout", inspect.Parameter.KEYWORD_ONLY, default=None)
            run.__dict__["__signature__"] = signature.replace(parameters=list(known.values()))
        flags = {flag: text for flag, text in {**HELP, **texts}.items() if flag in known}
        return task(help=flags, positional=positional, auto_shortflags=False)(run)

    return decorate


def check_text(flag: str, text: str) -> None:
    """Raise ``UsageError``, without the text, if it is too long, or free text with control or direction characters."""
    name = f"--{flag.replace('_', '-')}"
    if len(text) > _LONGEST and flag not in _LONG_TEXTS:
        raise UsageError(f"{name} has {len(text):,} characters", hint=f"the limit is {_LONGEST:,}")
    if flag in _FREE_TEXTS and not text.isprintable():
        at = next(number for number, char in enumerate(text, 1) if not char.isprintable())
        raise UsageError(
            f"{name} contains a line break, a control character or a direction mark: character {at}",
            hint="use one line of plain text",
        )


def configured(context: Context, inventory: str | None = None) -> Settings:
    """Return the settings of this run."""
    return replace(settings(dict(context.config), root=root(), inventory=inventory), dry=context.config.run.dry)


def dry(context: Context, action: str) -> bool:
    """Return whether ``--dry`` is set; if so, print the action that is not done."""
    if context.config.run.dry:
        console.say(f"would {action}")
    return bool(context.config.run.dry)


def seconds_of(text: str | None, flag: str) -> int | None:
    """Return the seconds of a duration such as 5m, or None if none is given."""
    return None if text is None else parse_duration(text, flag)


def open_app(context: Context, inventory: str | None) -> App:
    """Return the application context: the validated inventory, and a session for each account."""
    from venue_access.app import App

    return App.open(configured(context, inventory))


@contextmanager
def reporters(*, side_by_side: bool = False) -> Iterator[Callable[[], Reporter]]:
    """Show a status line for each piece of work; the yielded function adds one."""
    from venue_access.provisioning.results import Reporter

    board = console.Board(side_by_side=side_by_side)

    def reporter() -> Reporter:
        row = board.row()
        return Reporter(now=row.show, detail=row.detail, line=row.say, warn=row.warn, done=row.done)

    try:
        yield reporter
    finally:
        board.clear()


@contextmanager
def reporting() -> Iterator[Reporter]:
    """Show a status line while the ``with`` block runs."""
    with reporters() as reporter:
        yield reporter()
