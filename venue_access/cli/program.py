"""The console scripts ``invoke`` and ``venue-access``: Invoke's program, with one message for each expected failure."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import invoke
from invoke.config import AmbiguousMergeError, Config
from invoke.exceptions import AmbiguousEnvVar, ParseError, UncastableEnvVar, UnknownFileType, UnpicklableConfigMember
from invoke.program import Program
from invoke.vendor.yaml.error import YAMLError

from venue_access import __version__, console, sensitive
from venue_access.cli.surface import namespace
from venue_access.config import DEFAULTS, checkout
from venue_access.errors import UsageError, VenueAccessError, of_the_system, printable

_LIST_FORMATS = ("flat", "nested", "json")
_FILES = "check invoke.yaml beside tasks.py, ~/.invoke.yaml and /etc/invoke.yaml"
_CONFIGURATION = "correct or remove the file: it contains settings for Invoke"


def run_invoke() -> int:
    """Run ``invoke``, which finds ``tasks.py``, and return the exit code."""
    names = ["invoke", "inv"]
    program = _Program(
        name="Invoke", binary="inv[oke]", binary_names=names, version=invoke.__version__, config_class=_Config
    )
    return program.main()


def run_venue_access() -> int:
    """Run ``venue-access``, which has the commands from any folder, and return the exit code."""
    return _Program(name="venue-access", namespace=namespace, version=__version__, config_class=_OwnConfig).main()


class _Config(Config):
    """Invoke's configuration; an invalid file is a ``UsageError``."""

    def _load_yaml(self, path: Any) -> Any:
        return _read(super()._load_yaml, path)

    _load_yml = _load_yaml

    def _load_json(self, path: Any) -> Any:
        return _read(super()._load_json, path)

    def _load_py(self, path: Any) -> Any:
        return _read(super()._load_py, path)

    def load_shell_env(self) -> None:
        """Read the settings in the environment.

        :raises UsageError: one has an invalid value.
        """
        try:
            super().load_shell_env()
        except AmbiguousMergeError:
            raise
        except (AmbiguousEnvVar, UncastableEnvVar, ValueError, TypeError) as error:
            named = ", ".join(sorted(name for name in os.environ if name.startswith("INVOKE_")))
            raise UsageError(f"Invoke's settings in the environment: {error}", hint=f"check {named}") from error


class _OwnConfig(_Config):
    """Invoke's configuration with the defaults of ``invoke.yaml``, for use without a checkout."""

    @staticmethod
    def global_defaults() -> dict[str, Any]:
        """Return Invoke's defaults and the kit's."""
        defaults = Config.global_defaults()
        return {**defaults, **DEFAULTS, "tasks": {**defaults["tasks"], "dedupe": False}}


class _Program(Program):
    """Invoke's program; without a command, it lists the commands."""

    _executing = False

    def main(self) -> int:
        """Run the command line, and return the exit code."""
        sensitive.harden_process()
        try:
            code = self._run()
        except VenueAccessError as error:
            console.error(str(error))
            code = error.exit_code
        try:
            console.finish()
        except VenueAccessError as error:
            console.error(str(error))
            code = code or error.exit_code
        return code

    def _run(self) -> int:
        try:
            self.run()
        except SystemExit as ended:
            if isinstance(ended.__context__, KeyboardInterrupt):  # outside a command, Invoke exits with 1
                console.error("interrupted")
                return 130
            return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        except OSError as error:
            if self._executing:  # commands report their own OSErrors: this one is a bug
                raise
            cause = error.__context__  # the error that Invoke could not print on standard error
            if isinstance(cause, (ParseError, invoke.Exit)):
                return cause.code if isinstance(cause, invoke.Exit) else 1
            console.finish()
            if isinstance(error, BrokenPipeError):  # the reader of --list or --help has closed the pipe
                return 0
            raise of_the_system(error) from error
        except AmbiguousMergeError as error:
            raise UsageError(f"Invoke's configuration files contradict each other: {error}", hint=_FILES) from error
        except (UnknownFileType, UnpicklableConfigMember) as error:
            raise UsageError(f"Invoke's settings: {error}", hint=_CONFIGURATION) from error
        return 0

    def create_config(self) -> None:
        """Read the configuration files; ``venue-access`` reads the checkout's as well.

        Without a checkout, none is read from the current folder: an ``invoke.py`` there would be run.
        """
        super().create_config()
        folder = checkout()
        if self.namespace is not None and folder is not None:
            self.config.set_project_location(folder)
            self.config.load_project()

    def update_config(self, merge: bool = True) -> None:
        """Read the file of ``--config`` or INVOKE_RUNTIME_CONFIG as well.

        :raises UsageError: it does not exist.
        """
        given = self.args.config.value or os.environ.get("INVOKE_RUNTIME_CONFIG")
        if given is not None and not Path(given).expanduser().exists():
            raise UsageError(f"{given}: no such file", hint="--config and INVOKE_RUNTIME_CONFIG name a YAML file")
        super().update_config(merge)

    def parse_core_args(self) -> None:
        """Parse Invoke's own flags."""
        with _invoke_messages():
            super().parse_core_args()

    def parse_core(self, argv: list[str] | None) -> None:
        """Parse Invoke's own flags, and print the version or the completion script."""
        with _invoke_messages():
            super().parse_core(argv)

    def parse_tasks(self) -> None:
        """Parse the commands and their flags, which may include Invoke's own."""
        with _invoke_messages():
            super().parse_tasks()

    def parse_cleanup(self) -> None:
        """Handle ``--help``, ``--list`` and completion."""
        with _invoke_messages():
            super().parse_cleanup()

    def execute(self) -> None:
        """Run the commands.

        :raises UsageError: ``tasks.executor_class`` of the user's configuration does not name a class.
        """
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
        self._executing = True
        super().execute()

    def list_tasks(self) -> None:
        """Print the commands."""
        if self.list_format not in _LIST_FORMATS:
            raise ParseError(f"--list-format: expected one of {', '.join(_LIST_FORMATS)}")
        super().list_tasks()

    def no_tasks_given(self) -> None:
        """List the commands; Invoke would show only its own flags."""
        self.list_tasks()
        console.result(f"{self.called_as} --help NAME shows a command's flags, {self.called_as} --help those of all.")
        raise invoke.Exit


@contextmanager
def _invoke_messages() -> Iterator[None]:
    """Escape control characters in Invoke's messages, which quote arguments, and report invalid numbers."""
    try:
        yield
    except ValueError as error:
        raise ParseError(printable(f"one of Invoke's flags expects a number: {error}")) from error
    except ParseError as error:
        raise ParseError(printable(str(error)), error.context) from error
    except invoke.Exit as error:
        message = None if error.message is None else printable(error.message)
        raise invoke.Exit(message, code=error.code) from error


def _read(load: Callable[[Any], Any], path: Any) -> Any:
    """Load a configuration file; Invoke skips a missing one.

    :raises UsageError: it cannot be read or parsed, or is not a mapping of settings.
    """
    try:
        data = load(path)
        _check(data, Config.global_defaults(), str(path))
    except FileNotFoundError:
        raise
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UsageError(f"{path} cannot be read: {reason}", hint=_CONFIGURATION) from error
    except (YAMLError, ValueError, SyntaxError, RecursionError) as error:
        reason = "it contains itself" if isinstance(error, RecursionError) else " ".join(str(error).split())
        raise UsageError(f"{path} cannot be read: {reason}", hint=_CONFIGURATION) from error
    return data


def _check(data: Any, defaults: Mapping[str, Any], where: str) -> None:
    """Check that settings are a mapping by name, and that nested mappings are where Invoke's defaults have them.

    :raises UsageError: they are not.
    """
    if data is None and ": " not in where:  # an empty file
        return
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
