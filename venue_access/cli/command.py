"""What every command is made with: a task whose expected failures are one message, its settings, its progress."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import task

from venue_access import console, deadline, hardening
from venue_access.config import Settings, root, settings
from venue_access.errors import UsageError, VenueAccessError, of_the_system

if TYPE_CHECKING:
    from venue_access.app import App
    from venue_access.provisioning.reporter import Reporter

HELP = {
    "venue": "the venue: unity-dev, or dev where only one project has it",
    "limit": "venues by Ansible's patterns, such as 'unity:!unity-test'",
    "inventory": "an inventory file or folder (or INVOKE_INVENTORY)",
    "json": "print one JSON document",
    "yes": "do not ask",
    "timeout": f"how long AWS may take, over the whole command: {deadline.DEFAULT} (default), 90s",
}
_FREE_TEXTS = {"destination", "issuer", "profile_name", "reason", "resource", "service", "source_profile"}
_LONGEST = 1_000
_LISTS_KEYS_AND_SECRETS = {
    *("ecr_repository", "limit", "s3_prefix", "source_ip", "user"),
    *("code", "external_id", "recipient", "token"),
    *("config", "credentials_dir", "inventory", "out", "policy"),  # paths, which the system limits
}
"""Flags that may be longer than ``_LONGEST``; whatever reads one checks it."""
SIMILAR_USER = "take --user as given, though it is one slip away from a known user's name"
LOCK_TIMEOUT = "how long to wait for another run on the stack: 5m, 0"
CONFIDENTIAL = ("code", "external-id", "reason", "token")
"""The flags whose values Invoke's debug log must not show."""

hardening.redact_debug_log("invoke", CONFIDENTIAL, sys.argv)


def command(
    *, called: str | None = None, positional: Sequence[str] = (), timeout: str | None = deadline.DEFAULT, **texts: str
) -> Callable[[Callable[..., int | None]], Any]:
    """An Invoke task whose expected failures are one message and an exit code; ``texts`` is the help of its flags.

    The function returns its exit code, or None for 0. Success returns to Invoke, which goes on to the next task of the
    command line; any other code ends the command line there.

    :param timeout: the default of its ``--timeout``. None is for a command that asks nothing of AWS, or runs Terraform:
        it has no such flag, and each of its calls to AWS has its own limit.
    """

    def decorate(function: Callable[..., int | None]) -> Any:
        signature = inspect.signature(function)
        known = dict(signature.parameters)
        required = [flag for flag, each in known.items() if each.default is each.empty and flag not in positional][1:]

        @functools.wraps(function)
        def run(context: Context, *arguments: Any, **flags: Any) -> None:
            hardening.harden_process()
            hardening.silence_libraries()
            code: int | None = None
            try:
                for flag in required:  # Invoke hands over None
                    if flags.get(flag) is None:
                        raise UsageError(f"--{flag.replace('_', '-')} is required")
                for flag, given in flags.items():
                    if isinstance(given, str):
                        check_text(flag, given)
                asked = flags.pop("timeout", None)
                limit = timeout if asked is None else asked
                with deadline.time_limit(seconds_of(limit, "--timeout"), limit or ""):
                    code = function(context, *arguments, **flags)
            except VenueAccessError as error:
                console.error(str(error))
                raise Exit(code=error.exit_code) from None
            except KeyboardInterrupt:
                console.error("interrupted")
                raise Exit(code=130) from None
            except OSError as error:
                told = of_the_system(error)
                console.error(str(told))
                raise Exit(code=told.exit_code) from None
            if code:
                raise Exit(code=code)

        if timeout is not None:
            own = inspect.Parameter("timeout", inspect.Parameter.KEYWORD_ONLY, default=None)
            known["timeout"] = own
            run.__dict__["__signature__"] = signature.replace(parameters=list(known.values()))
        flags = {flag: text for flag, text in {**HELP, **texts}.items() if flag in known}
        return task(name=called, help=flags, positional=positional, auto_shortflags=False)(run)

    return decorate


def check_text(flag: str, text: str) -> None:
    """Refuse a flag's text that is too long, or is free text with a control or direction character.

    :raises UsageError: the message does not repeat the text.
    """
    name = f"--{flag.replace('_', '-')}"
    if len(text) > _LONGEST and flag not in _LISTS_KEYS_AND_SECRETS:
        raise UsageError(f"{name} has {len(text):,} characters", hint=f"it may have {_LONGEST:,}")
    if flag in _FREE_TEXTS and not text.isprintable():
        at = next(number for number, char in enumerate(text, 1) if not char.isprintable())
        raise UsageError(
            f"{name} has a line break, a control character or a direction mark: character {at}",
            hint="write it as one line of plain text",
        )


def configured(context: Context, inventory: str | None = None) -> Settings:
    """The settings of this run."""
    made = settings(dict(context.config), root=root(), inventory=inventory)
    return replace(made, dry=context.config.run.dry)


def dry(context: Context, action: str) -> bool:
    """Say what would be done under ``--dry``, and return whether that is all that is to be done."""
    if context.config.run.dry:
        console.say(f"would {action}")
    return bool(context.config.run.dry)


def seconds_of(text: str | None, flag: str) -> int | None:
    """A length of time such as 5m, where one was given."""
    from venue_access.durations import length

    return None if text is None else length(text, flag)


def open_app(context: Context, inventory: str | None) -> App:
    """The inventory's venues, and the ways to their accounts."""
    from venue_access.app import App

    return App.open(configured(context, inventory))


@contextmanager
def reporting() -> Iterator[Reporter]:
    """Progress on the terminal, a line in place, with lines that stay; gone when the work is."""
    with reporters() as reporter:
        yield reporter()


@contextmanager
def reporters(*, side_by_side: bool = False) -> Iterator[Callable[[], Reporter]]:
    """As ``reporting``, one for each piece of work."""
    from venue_access.provisioning.reporter import Reporter

    board = console.Board(side_by_side=side_by_side)

    def reporter() -> Reporter:
        row = board.row()
        return Reporter(now=row.show, detail=row.detail, line=row.say, warn=row.warn, done=row.done)

    try:
        yield reporter
    finally:
        board.clear()
