"""The adapter to python-terraform: plan, apply and state of one root module, with failures as ``TerraformError``.

python-terraform builds the command line. The kit runs it, because the package gives Terraform no environment of its
own, holds back all output until the end, and logs what it runs.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import python_terraform
from python_terraform import IsFlagged

from venue_access.errors import StateLocked, TerraformError, UsageError
from venue_access.provisioning.diagnostics import Diagnostic, failure, overdue
from venue_access.provisioning.process import Process, pause
from venue_access.provisioning.results import Event
from venue_access.sensitive import SensitiveStr

PLAN_FILE = "plan.tfplan"
LOCK_TIMEOUT = 60.0
"""Seconds to wait for a lock of the state."""
_BETWEEN_ATTEMPTS = 3.0
DEADLINE = 1800.0
"""Seconds. Terraform's own calls have no timeout: if AWS accepts a call and never answers, it would wait forever."""


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


class Terraform:
    """Terraform in one stack's folder, with one set of AWS credentials; for one thread.

    :param program: ``terraform``, or a path; OpenTofu's ``tofu`` works too.
    :param environment: returns the whole environment of a Terraform process; called before each run.
    :param venue: one of the stack's, for the command in a hint.
    :param hide: redacted in Terraform's messages.
    :param on_event: called with each event of the ``-json`` stream.
    :param lock_timeout: seconds to wait for the state's lock.
    :param on_wait: called once with who holds the lock, before the wait.
    """

    def __init__(
        self,
        folder: Path,
        *,
        program: str,
        environment: Callable[[], Mapping[str, str]],
        venue: str,
        hide: Sequence[SensitiveStr] = (),
        on_event: Callable[[Event], object] = lambda event: None,
        lock_timeout: float = LOCK_TIMEOUT,
        on_wait: Callable[[str], None] = lambda text: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.folder = folder
        self._venue = venue
        self._lock_timeout = lock_timeout
        self._on_wait = on_wait
        self._clock = clock
        self._environment = environment
        self._hide = tuple(hide)
        self._on_event = on_event
        self.deadline = DEADLINE
        found = shutil.which(program)
        if found is None:
            raise UsageError(f"{program} is not on the PATH", hint="set it up with: scripts/bootstrap")
        self._runner = _Runner(working_dir=str(folder), terraform_bin_path=found)

    def init(self) -> None:
        """Install the provider and set up the backend in place of any earlier one; no state is moved.

        :raises TerraformError: it fails, also if it would have to change the lock file.
        """
        self._run("init", input=False, lockfile="readonly", reconfigure=IsFlagged, no_color=IsFlagged)

    def plan(self, *, destroy: bool = False, targets: Sequence[str] = ()) -> Plan:
        """Plan, and save the plan in the stack's folder.

        :param targets: addresses to limit the plan to; empty for the whole root module.
        """
        options: dict[str, Any] = {"json": IsFlagged, "input": False, "out": PLAN_FILE}
        if destroy:
            options["destroy"] = IsFlagged
        if targets:
            options["target"] = list(targets)
        changes = []
        for event in self._run_with_lock("plan", **options):
            if event.get("type") == "planned_change":
                change = event["change"]
                action = "replace" if change["action"] == "remove" else change["action"]
                changes.append(Change(change["resource"]["addr"], action))
        return Plan(self.folder / PLAN_FILE, tuple(changes))

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
        lines = self._run("show", plan.file.name, json=IsFlagged, no_color=IsFlagged)
        document: dict[str, Any] = dict(lines[0]) if lines else {}
        return document

    def state(self) -> dict[str, Any]:
        """Return the state from its backend; it holds the external ID."""
        with self._runner.started(self._environment(), self.deadline, "state pull", no_color=IsFlagged) as process:
            text = "".join(process.lines())
            code = process.wait()
        if code != 0:
            raise self._failure(process, "state pull", code, [], text)
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
        deadline = self._clock() + self._lock_timeout
        waited = False
        while True:
            try:
                return self._run(command, *arguments, lock_timeout="0s", **options)
            except StateLocked as error:
                left = deadline - self._clock()
                if left <= 0:
                    raise
                if not waited:
                    self._on_wait(f"{error.message}; waiting")
                    waited = True
                pause(min(_BETWEEN_ATTEMPTS, left))

    def _run(self, command: str, *arguments: str, **options: Any) -> list[Event]:
        events: list[Event] = []
        problems: list[Diagnostic] = []
        text: list[str] = []
        deadline = None if command == "init" else self.deadline  # a download may take its time
        with self._runner.started(self._environment(), deadline, command, *arguments, **options) as process:
            for line in process.lines():
                event = _event(line)
                if event is None:
                    text.append(line)
                    continue
                events.append(event)
                if event.get("type") == "diagnostic":
                    problems.append(Diagnostic.of(event["diagnostic"]))
                self._on_event(event)
            code = process.wait()
        if code != 0:
            raise self._failure(process, command, code, problems, "".join(text))
        return events

    def _failure(
        self, process: Process, command: str, code: int, problems: Sequence[Diagnostic], text: str
    ) -> TerraformError:
        stack = self.folder.name
        if process.overdue:
            return overdue(command, self.deadline, stack=stack)
        return failure(command, code, problems, text, stack=stack, venue=self._venue, hide=self._hide)


class _Runner(python_terraform.Terraform):
    """python-terraform's command lines, without its reading of the state, which fails if that is truncated."""

    def read_state_file(self, file_path: str | None = None) -> None:
        """Do nothing: the kit reads the state itself."""

    def started(
        self, environment: Mapping[str, str], deadline: float | None, command: str, *arguments: str, **options: Any
    ) -> Process:
        line = self.generate_cmd_string(command, *arguments, **options)
        return Process(line, self.working_dir, environment, deadline=deadline)


@dataclass(frozen=True)
class StateResources:
    """The addresses of the managed resources in a state."""

    addresses: frozenset[str] = frozenset()
    tainted: frozenset[str] = frozenset()
    """Those whose creation was cut short, which Terraform would replace."""


def resources_in(state: Mapping[str, Any]) -> StateResources:
    """Return the managed resources in a state (state format version 4)."""
    found: dict[str, bool] = {}
    for resource in state.get("resources", ()):
        if resource["mode"] != "managed":
            continue
        base = f"{resource['type']}.{resource['name']}"
        if "module" in resource:
            base = f"{resource['module']}.{base}"
        for instance in resource["instances"]:
            key = instance.get("index_key")
            found[base if key is None else f"{base}[{json.dumps(key)}]"] = instance.get("status") == "tainted"
    return StateResources(frozenset(found), frozenset(address for address, tainted in found.items() if tainted))


def state_file(folder: Path) -> dict[str, Any] | None:
    """Return a stack's local state; None if there is none, or if it is truncated.

    Terraform writes it in place, so a kill at the wrong moment truncates it. It is then set aside, and what exists in
    AWS is imported.
    """
    path = folder / "terraform.tfstate"
    try:
        state = json.loads(path.read_text(encoding="utf-8"))
        resources_in(state)
    except FileNotFoundError:
        return None
    except (ValueError, LookupError, TypeError, AttributeError):
        state = None
    except OSError as error:
        raise UsageError(f"cannot read {path}: {(error.strerror or str(error)).lower()}") from error
    if not isinstance(state, dict):
        path.replace(path.with_name("terraform.tfstate.unreadable"))
        return None
    return state


def module_of(name: str) -> str:
    """Return the address of a venue's module."""
    return f"module.venue[{json.dumps(name)}]"


def _event(line: str) -> Event | None:
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) else None
