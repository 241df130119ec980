"""The console scripts ``invoke`` and ``venue-access``: Invoke's program, with one message for each expected failure."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import invoke
from invoke import exceptions
from invoke.collection import Collection
from invoke.config import AmbiguousMergeError, Config
from invoke.exceptions import ParseError
from invoke.program import Program
from invoke.vendor.yaml.error import YAMLError

from venue_access import __version__, console, sensitive
from venue_access.config import DEFAULTS, checkout
from venue_access.errors import UsageError, VenueAccessError, of_the_system, printable

COMMANDS = {
    "account": (
        *("account.list", "account.mfa", "account.profile", "account.role-token"),
        *("account.unset", "account.use", "account.whoami"),
    ),
    "console_url": ("console-url",),
    "inventory": (
        *("inventory.check", "inventory.graph", "inventory.host", "inventory.init"),
        *("inventory.list", "inventory.names", "inventory.provisioned", "inventory.schema"),
    ),
    "ledger": ("ledger.head", "ledger.verify", "tokens"),
    "maintenance": (
        *("doctor", "local.down", "local.status", "local.up"),
        *("state.force-unlock", "state.migrate", "state.rm"),
    ),
    "tokens": ("exec", "external-id.send", "issue-token", "revoke-token"),
    "venues": ("deprovision", "drift", "operator-policy", "provision", "rotate-external-id", "status", "verify"),
}
"""The commands, by module of this package: ``account.role-token`` is the function ``account_role_token`` there."""

sensitive.redact_debug_log("invoke", ("code", "external-id", "reason", "token"), sys.argv)
# Here, and not in the modules of the commands: Invoke logs the command line before they are loaded.

_FILES = "check invoke.yaml beside tasks.py, ~/.invoke.yaml and /etc/invoke.yaml"
_CONFIGURATION = "correct or remove the file: it contains settings for Invoke"
_LISTING = re.compile(r"--(complete|list)|-[^-]*l")  # -l also as one of several: -el


def collection(argv: Sequence[str]) -> Collection:
    """Return the commands that a command line names, so that a run imports only their modules.

    If the command line does not begin with a command, or lists the commands, all are returned.
    """
    named = {word.replace("_", "-") for argument in argv[1:] for word in argument.split("=")}
    begins = any(argv[1:2] == [name] for names in COMMANDS.values() for name in names)
    some = begins and not any(map(_LISTING.match, argv[1:]))
    found = Collection()
    for module, names in COMMANDS.items():
        if some and named.isdisjoint(names):
            continue
        functions = import_module(f"venue_access.cli.{module}")
        for name in names:
            group, _, last = name.rpartition(".")
            if group and group not in found.collections:
                found.add_collection(Collection(group))
            members = found.collections[group] if group else found
            members.add_task(getattr(functions, re.sub("[.-]", "_", name)), name=last)
    return found


def run_invoke() -> int:
    """Run ``invoke``, which finds ``tasks.py``, and return the exit code."""
    return _Program(invoke.__version__, name="Invoke", binary="inv[oke]", binary_names=["invoke", "inv"]).main()


def run_venue_access() -> int:
    """Run ``venue-access``, which has the commands from any folder, and return the exit code."""
    return _Program(__version__, collection(sys.argv), "venue-access").main()


def _checked(load: Callable[[Any, Any], Any]) -> Any:
    """Make a function that loads a configuration file raise ``UsageError``; Invoke skips a missing file."""

    def checked(self: Config, path: Any) -> Any:
        try:
            data = load(self, path)
            if data is not None:  # an empty file
                _check(data, Config.global_defaults(), str(path))
            return data
        except FileNotFoundError:
            raise
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
        except RecursionError:
            reason = "it contains itself"
        except (YAMLError, ValueError, SyntaxError) as error:
            reason = " ".join(str(error).split())
        raise UsageError(f"{path} cannot be read: {reason}", hint=_CONFIGURATION)

    return checked


def _check(data: Any, defaults: Mapping[str, Any], where: str) -> None:
    """Raise ``UsageError`` unless settings are a mapping by name, nested where Invoke's defaults are."""
    if not isinstance(data, dict):
        raise UsageError(f"{where}: expected a mapping of settings, not {data!r}", hint=_CONFIGURATION)
    for key, value in data.items():
        if not isinstance(key, str):
            raise UsageError(f"{where}: {key!r} is not the name of a setting", hint=_CONFIGURATION)
        if isinstance(value, dict) or isinstance(defaults.get(key), dict):
            own = defaults.get(key, {})
            if not isinstance(own, dict):
                raise UsageError(f"{where}: {key}: expected a value, not a mapping", hint=_CONFIGURATION)
            _check(value, own, f"{where}: {key}")


class _Config(Config):
    """Invoke's configuration with the defaults of ``invoke.yaml``; an invalid file is a ``UsageError``."""

    _load_yaml = _load_yml = _checked(Config._load_yaml)
    _load_json = _checked(Config._load_json)
    _load_py = _checked(Config._load_py)

    @staticmethod
    def global_defaults() -> dict[str, Any]:
        """Return Invoke's defaults and the kit's, for use without a checkout."""
        defaults = Config.global_defaults()
        return {**defaults, **DEFAULTS, "tasks": {**defaults["tasks"], "dedupe": False}}

    def load_shell_env(self) -> None:
        """Read the settings in the environment; an invalid one is a ``UsageError``."""
        try:
            super().load_shell_env()
        except AmbiguousMergeError:
            raise
        except (exceptions.AmbiguousEnvVar, exceptions.UncastableEnvVar, ValueError, TypeError) as error:
            named = ", ".join(sorted(name for name in os.environ if name.startswith("INVOKE_")))
            raise UsageError(f"Invoke's settings in the environment: {error}", hint=f"check {named}") from error


class _Program(Program):
    """Invoke's program; without a command, it lists the commands."""

    def main(self) -> int:
        """Run the command line, and return the exit code."""
        sensitive.harden_process()
        code = 0
        for step in (self._run, console.finish):
            try:
                code = step() or code
            except VenueAccessError as error:
                console.error(str(error))
                code = code or error.exit_code
        return code

    def _run(self) -> int:
        """Do what ``Program.run`` does, but print its messages with control characters escaped: they quote arguments.

        :raises UsageError: the configuration, or a file or folder that Invoke's flags name, is invalid.
        """
        try:
            self._parse()
            self.execute()
        except ParseError as error:
            console.say(printable(str(error)))
            return 1
        except invoke.Exit as ended:
            if ended.message:
                console.say(printable(ended.message))
            return ended.code
        except exceptions.UnexpectedExit as error:
            if error.result.hide:
                console.say(str(error))
            return error.result.exited
        except KeyboardInterrupt:
            console.error("interrupted")
            return 130
        except AmbiguousMergeError as error:
            raise UsageError(f"Invoke's configuration files contradict each other: {error}", hint=_FILES) from error
        except (exceptions.UnknownFileType, exceptions.UnpicklableConfigMember) as error:
            raise UsageError(f"Invoke's settings: {error}", hint=_CONFIGURATION) from error
        return 0

    def _parse(self) -> None:
        """Read the configuration and the command line, and print what ``--list``, ``--help`` and the like ask for."""
        try:
            self.create_config()
            with _numbers():
                self.parse_core(None)
            self.parse_collection()
            with _numbers():
                self.parse_tasks()
            self.parse_cleanup()
            self.update_config()
        except OSError as error:  # in a command, one would be a bug: commands report their own
            console.finish()
            if isinstance(error, BrokenPipeError):  # the reader of --list or --help has closed the pipe
                raise invoke.Exit from error
            raise of_the_system(error) from error

    def create_config(self) -> None:
        """Read the configuration files; ``venue-access`` reads the checkout's as well.

        Without a checkout, none is read from the current folder: an ``invoke.py`` there would be run.
        """
        self.config = _Config()
        folder = checkout()
        if self.namespace is not None and folder is not None:
            self.config.set_project_location(folder)
            self.config.load_project()

    def update_config(self, merge: bool = True) -> None:
        """Read the file of ``--config`` or INVOKE_RUNTIME_CONFIG as well, and check the name of the executor.

        :raises UsageError: the file does not exist, or ``tasks.executor_class`` does not name a class.
        """
        given = self.args.config.value or os.environ.get("INVOKE_RUNTIME_CONFIG")
        if given is not None and not Path(given).expanduser().exists():
            raise UsageError(f"{given}: no such file", hint="--config and INVOKE_RUNTIME_CONFIG name a YAML file")
        super().update_config(merge)
        name = self.config.tasks.executor_class
        if name is not None:
            module, _, attribute = str(name).rpartition(".")
            try:
                found = getattr(import_module(module), attribute)
            except (ImportError, AttributeError, ValueError):
                found = None
            if not isinstance(found, type):
                hint = "correct it in your invoke.yaml, or remove it"
                raise UsageError(f"tasks.executor_class: {name!r} is not the name of a class", hint=hint)

    def list_tasks(self) -> None:
        """Print the commands."""
        if self.list_format not in ("flat", "nested", "json"):
            raise ParseError("--list-format: expected one of flat, nested, json")
        super().list_tasks()

    def no_tasks_given(self) -> None:
        """List the commands; Invoke would show only its own flags."""
        self.list_tasks()
        console.result(f"{self.called_as} --help NAME shows a command's flags, {self.called_as} --help those of all.")
        raise invoke.Exit


@contextmanager
def _numbers() -> Iterator[None]:
    """Report an invalid number in one of Invoke's flags."""
    try:
        yield
    except ValueError as error:
        raise ParseError(f"one of Invoke's flags expects a number: {error}") from error
