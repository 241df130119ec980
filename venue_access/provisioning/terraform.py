"""The adapter to python-terraform: init, plan, apply and state of one root module; failures are ``TerraformError``.

python-terraform builds the command line. The kit runs it, because the package gives Terraform no environment of its
own, holds back all output until the end, and logs what it runs.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import python_terraform
from python_terraform import IsFlagged

from venue_access.errors import StateLocked, TerraformError, UsageError
from venue_access.files import write_private_if_changed
from venue_access.provisioning.process import Process, pause
from venue_access.provisioning.render import DATA_FILE, EXTERNAL_IDS_FILE, IMPORTS_FILE
from venue_access.provisioning.results import Event
from venue_access.sensitive import SensitiveStr

PLAN_FILE = "plan.tfplan"
LOCK_TIMEOUT = 60.0
"""Seconds to wait for a lock of the state."""
_BETWEEN_ATTEMPTS = 3.0
DEADLINE = 1800.0
"""Seconds. Terraform's own calls have no timeout: if AWS accepts a call and never answers, it would wait forever."""
_STAMP = ".initialised"
_NOT_READ_BY_INIT = (DATA_FILE, EXTERNAL_IDS_FILE, IMPORTS_FILE)
_RECORDS = ("terraform.tfstate", "modules/modules.json")
_PROVIDERS = "providers/*/*/*/*/*"  # host, namespace, name, version, platform: usually a link to a mirror


@dataclass(frozen=True)
class Change:
    """What Terraform plans for one resource."""

    address: str
    action: str
    """``create``, ``update``, ``delete``, ``replace``, ``import`` or ``forget``."""

    @property
    def destroys(self) -> bool:
        return self.action in ("delete", "replace")


@dataclass(frozen=True)
class Plan:
    """A saved plan and its changes; the only thing that ``apply`` takes."""

    file: Path
    changes: tuple[Change, ...]

    def __bool__(self) -> bool:
        return bool(self.changes)

    def untainted(self, tainted: frozenset[str]) -> Plan:
        """Return this plan as it would be after ``terraform untaint``: tainted resources updated, not replaced."""
        changes = (
            replace(change, action="update") if change.address in tainted and change.destroys else change
            for change in self.changes
        )
        return replace(self, changes=tuple(changes))


@dataclass
class Terraform:
    """Terraform in one stack's folder, with one set of AWS credentials; for one thread."""

    folder: Path
    program: str
    """``terraform``, or a path; OpenTofu's ``tofu`` works too."""
    environment: Callable[[], Mapping[str, str]]
    """Returns the whole environment of a Terraform process; called before each run."""
    venue: str
    """One of the stack's, for the command in a hint."""
    hide: Sequence[SensitiveStr] = ()
    """Redacted in Terraform's messages."""
    on_event: Callable[[Event], object] = lambda event: None
    """Called with each event of the ``-json`` stream."""
    on_wait: Callable[[str], None] = lambda text: None
    """Called once with who holds the state's lock, before the wait."""
    lock_timeout: float = LOCK_TIMEOUT
    deadline: float = DEADLINE
    clock: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        found = shutil.which(self.program)
        if found is None:
            raise UsageError(f"{self.program} is not on the PATH", hint="set it up with: scripts/bootstrap")
        self._runner = _Runner(working_dir=str(self.folder), terraform_bin_path=found)

    def init(self) -> None:
        """Install the provider and set up the backend in place of any earlier one; no state is moved.

        :raises TerraformError: it fails, also if it would have to change the lock file.
        """
        self._run("init", input=False, lockfile="readonly", reconfigure=IsFlagged, no_color=IsFlagged)

    def plan(self, *, destroy: bool = False, targets: Sequence[str] = ()) -> Plan:
        """Plan, and save the plan in the stack's folder.

        :param targets: addresses to limit the plan to; empty for the whole root module.
        """
        options = {"out": PLAN_FILE, "destroy": IsFlagged if destroy else None, "target": list(targets)}
        events = self._run_with_lock("plan", json=IsFlagged, input=False, **options)
        planned = (event["change"] for event in events if event.get("type") == "planned_change")
        actions = ((each["resource"]["addr"], each["action"]) for each in planned)
        changes = tuple(Change(address, "replace" if action == "remove" else action) for address, action in actions)
        return Plan(self.folder / PLAN_FILE, changes)

    def apply(self, plan: Plan) -> None:
        """Apply a saved plan, and remove its file: it holds the external ID.

        :raises TerraformError: AWS refused something, or the state has changed since (a stale plan).
        """
        try:
            self._run_with_lock("apply", plan.file.name, json=IsFlagged, input=False)
        finally:
            plan.file.unlink(missing_ok=True)

    def show(self, plan: Plan) -> dict[str, Any]:
        """Return a saved plan in full, attribute by attribute; it holds the external ID."""
        events, _ = self._run("show", plan.file.name, json=IsFlagged, no_color=IsFlagged)
        return dict(events[0]) if events else {}

    def state(self) -> dict[str, Any]:
        """Return the state from its backend; it holds the external ID."""
        _, text = self._run("state pull", events=False, no_color=IsFlagged)
        state: dict[str, Any] = json.loads(text) if text.strip() else {}
        return state

    def untaint(self, address: str) -> None:
        """Mark a resource whose creation was cut short as complete, so that it is updated and not replaced."""
        self._run_with_lock("untaint", address, no_color=IsFlagged)

    def remove_from_state(self, address: str) -> None:
        """Remove a module or resource from the state, without a backup file; its objects stay in AWS."""
        self._run_with_lock("state rm", address, no_color=IsFlagged, backup="-")

    def _run_with_lock(self, command: str, *arguments: str, **options: Any) -> list[Event]:
        """Run a command that takes the state's lock, and retry while it is held: Terraform's own wait is silent."""
        end: float | None = None
        while True:
            try:
                return self._run(command, *arguments, lock_timeout="0s", **options)[0]
            except StateLocked as error:
                now = self.clock()
                if end is None:
                    end = now + self.lock_timeout
                    if now < end:
                        self.on_wait(f"{error.message}; waiting")
                if now >= end:
                    raise
                pause(min(_BETWEEN_ATTEMPTS, end - now))

    def _run(self, command: str, *arguments: str, events: bool = True, **options: Any) -> tuple[list[Event], str]:
        """Run a command; return its events, unless it prints none, and the rest of its output.

        :raises TerraformError: it failed.
        """
        found: list[Event] = []
        text: list[str] = []
        command_line = self._runner.generate_cmd_string(command, *arguments, **options)
        deadline = None if command == "init" else self.deadline  # a download may take its time
        with Process(command_line, str(self.folder), self.environment(), deadline=deadline) as process:
            for line in process.lines():
                event = _event(line) if events else None
                if event is None:
                    text.append(line)
                else:
                    found.append(event)
                    self.on_event(event)
            code = process.wait()
        if code != 0:
            from venue_access.provisioning.diagnostics import Diagnostic, failure  # only for an error

            stack = self.folder.name
            if process.overdue:
                raise TerraformError(
                    f"{stack}: terraform {command} did not end within {self.deadline / 60:.0f} minutes and was stopped",
                    hint="AWS or the network does not answer: check with invoke doctor, then run the command again:"
                    " it imports what was created",
                )
            problems = [Diagnostic.of(event["diagnostic"]) for event in found if event.get("type") == "diagnostic"]
            raise failure(command, code, problems, "".join(text), stack=stack, venue=self.venue, hide=self.hide)
        return found, "".join(text)


def _event(line: str) -> Event | None:
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) else None


class _Runner(python_terraform.Terraform):
    """python-terraform's command lines, without its reading of the state, which fails if that is truncated."""

    def read_state_file(self, file_path: str | None = None) -> None:
        """Do nothing: the kit reads the state itself."""


def module_of(name: str) -> str:
    """Return the address of a venue's module."""
    return f"module.venue[{json.dumps(name)}]"


# Init takes a second, most of it to check 700 MB of provider against the lock file. It runs only where it would change
# something: ``.initialised`` is a checksum of what it read and made.


def is_initialised(folder: Path, files: Mapping[str, str] | None = None) -> bool:
    """Return whether ``terraform init`` has succeeded in a stack's folder.

    :param files: the rendered files by name, where it must have read these, and what it made must still exist.
    """
    stamp = folder / _STAMP
    if files is None or not stamp.is_file():
        return stamp.exists()
    return stamp.read_text(encoding="ascii", errors="replace") == _stamp(folder, files)


def forget_init(folder: Path) -> None:
    """Have the next run call ``terraform init`` in a stack's folder."""
    (folder / _STAMP).unlink(missing_ok=True)


def initialise(folder: Path, files: Mapping[str, str], init: Callable[[], None]) -> None:
    """Call ``init``, or copy what it made for another stack with the same input: all with a local state are alike.

    First remove what makes init fail: records that are not JSON, and links to missing providers. However the run ends,
    a half-made folder does not count as initialised.
    """
    forget_init(folder)
    made = folder / ".terraform"
    for name in _RECORDS:
        try:
            json.loads((made / name).read_bytes())
        except (OSError, ValueError):
            (made / name).unlink(missing_ok=True)
    for provider in made.glob(_PROVIDERS):
        if provider.is_symlink():
            provider.unlink()
        elif not any(provider.iterdir()):
            provider.rmdir()
    if made.exists() or not _copied_from_sibling(folder, files):
        init()
    write_private_if_changed(folder / _STAMP, _stamp(folder, files))


def _copied_from_sibling(folder: Path, files: Mapping[str, str]) -> bool:
    with suppress(OSError):
        for stamp in folder.parent.glob(f"*/{_STAMP}"):
            if is_initialised(stamp.parent, files):
                shutil.copytree(stamp.with_name(".terraform"), folder / ".terraform", symlinks=True)
                return is_initialised(stamp.parent, files)  # false if it changed while it was copied
    return False


def _stamp(folder: Path, files: Mapping[str, str]) -> str:
    """Return the checksum of what init reads and has made: of the providers, which are large, only names and sizes."""
    read = sorted((name, text) for name, text in files.items() if name not in _NOT_READ_BY_INIT)
    made = folder / ".terraform"
    parts = [(name, 0, (made / name).read_bytes()) for name in _RECORDS if (made / name).is_file()]
    for provider in sorted(made.glob(_PROVIDERS)):
        for file in sorted(provider.iterdir()) if provider.is_dir() else ():
            parts.append((str(file.relative_to(made)), file.stat().st_size, b""))
    return hashlib.sha256(repr((read, parts)).encode()).hexdigest()
