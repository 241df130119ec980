"""Rotate a venue's external ID in two phases, so that issuing never fails.

Each step is decided from a snapshot of AWS (``venue_snapshot``), so a killed run is simply repeated:

    stage            step      what it does
    STABLE           create    the trust policy accepts a new ID too
    PENDING          promote   once AWS accepts the new ID, store it in the parameter: tokens are issued with it
    PROMOTED         retire    the trust policy accepts only the new ID
    PARAMETER_LOST   restore   store the trust policy's current ID in the parameter
    BROKEN           repair    create an ID, and a stage of the above that leads to STABLE
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone

from venue_access.aws.client import CallerIdentity
from venue_access.aws.parameters import overwrite_parameter
from venue_access.aws.sessions import caller_in_account, why_not_trusted
from venue_access.config import Settings
from venue_access.errors import AwsError, DeliveryError, Interrupted, TerraformError, UsageError, VenueAccessError
from venue_access.inventory.model import Venue
from venue_access.ledger.book import Ledger, ProofSessions
from venue_access.ledger.chain import Kind
from venue_access.policies.documents import ExternalIds
from venue_access.provisioning.external_id_update import ExternalIdUpdate, check_grace_over, set_grace, update_grace
from venue_access.provisioning.results import Reporter, Rotation
from venue_access.provisioning.root_module import RootModule
from venue_access.provisioning.stack import Stack
from venue_access.provisioning.venue_checks import can_assume, verify_trust_policy
from venue_access.provisioning.venue_snapshot import (
    RotationState,
    Stage,
    VenueSnapshot,
    check_rotatable,
    grace_until,
    new_external_id,
    read_snapshot,
    rotation_state,
)
from venue_access.sensitive import ExternalId
from venue_access.times import RetryPolicy, to_minute

_AGAIN = "run the command again: it resumes"
_AS_BEFORE = "tokens can be issued as before"
_MOST_STEPS = 8  # more than any way through the table takes, unless the venue keeps changing
_PROPAGATION = RetryPolicy()


@dataclass(frozen=True)
class RotationOptions:
    """How to rotate.

    :raises UsageError: two of these exclude each other.
    """

    grace: timedelta | None = None
    """Stop after the new ID is promoted, and accept both for this long; until then only ``finish`` ends it."""
    finish: bool = False
    """Complete a rotation that is in progress, and do not start one."""
    repair: bool = False
    """Create a new ID and a stable state from any state."""
    skip_verification: bool = False
    """Continue if this caller cannot verify that an ID works."""
    lock_timeout: float | None = None
    """Seconds to wait for another run on the stack; None for the default."""

    def __post_init__(self) -> None:
        if self.finish and (self.grace is not None or self.repair):
            raise UsageError(f"--finish and {'--repair' if self.repair else '--grace'} exclude each other")

    @property
    def action(self) -> str:
        """Return what is done to the external ID, as a verb."""
        return "repair" if self.repair else "complete a rotation of" if self.finish else "rotate"


def rotate(
    settings: Settings,
    stack: Stack,
    venue: Venue,
    ledger: Ledger,
    options: RotationOptions,
    reporter: Reporter,
    *,
    now: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
) -> Rotation:
    """Rotate a venue's external ID, or resume a rotation; record in the ledger what was done.

    :param ledger: the venue's.
    :raises UsageError: the venue is not provisioned, is broken (``repair``), or the caller cannot verify an ID.
    :raises CredentialsError: the caller's credentials are of another account.
    """
    aws = ledger.aws()
    root = RootModule(settings, stack, aws, waiting=reporter.line, lock_timeout=options.lock_timeout)
    sessions = ProofSessions("rotate-external-id", aws, venue)
    update = ExternalIdUpdate(root, venue, aws, reporter, repair=options.repair)
    run = _Run(Rotation(venue), sessions, options, reporter, update, now)
    try:
        with root.locked(), sessions.recorded(lambda *_: ledger, reporter.warn):
            run.rotate()
    except BaseException as error:
        try:
            run.record(ledger)
        except VenueAccessError as also:
            reporter.warn(also.message)
        if isinstance(error, KeyboardInterrupt):
            raise Interrupted(f"{venue.name}: interrupted; {_AS_BEFORE}", hint=_AGAIN) from None
        if isinstance(error, UsageError) and run.changed:
            message = f"{venue.name}: {error.message}; the rotation is incomplete, and {_AS_BEFORE}"
            raise TerraformError(message, hint=f"correct that; then {_AGAIN}") from error
        if isinstance(error, (AwsError, TerraformError)) and run.acting and "resumes" not in (error.hint or ""):
            error.hint = "; ".join(filter(None, [error.hint, f"{_AS_BEFORE}, and the next run resumes"]))
        raise
    run.record(ledger)
    return run.rotation


@dataclass
class _Run:
    """One run, from any stage."""

    rotation: Rotation
    _sessions: ProofSessions
    _options: RotationOptions
    _reporter: Reporter
    _update: ExternalIdUpdate
    _now: Callable[[], datetime]
    acting: bool = False
    """Whether this run has begun to change something."""
    changed: bool = False
    _unverifiable: str | None = None
    """Why this caller cannot verify that an ID works."""
    _new: ExternalId | None = None
    """The ID that this run has promoted."""
    _seen: set[ExternalId] = field(default_factory=set)
    """Every ID that was accepted or stored during the run."""

    def __post_init__(self) -> None:
        self._venue, self._aws = self._sessions.venue, self._sessions.aws

    def rotate(self) -> None:
        """Take the steps of the module's table until the rotation is over, or a grace period has begun."""
        name, options = self._venue.name, self._options
        caller = caller_in_account(self._aws, self._venue)
        snapshot, state = self._read()
        self.rotation.began = state.stage
        check_rotatable(self._venue, snapshot, repair=options.repair)
        if state.stage is Stage.PROMOTED and options.grace is None and not options.finish:
            check_grace_over(self._venue, snapshot, self._now())
        self._check_caller(caller, snapshot, state)
        for _ in range(_MOST_STEPS):
            if self._is_over(snapshot, state):
                break
            self.acting = True
            self._step(snapshot, state)
            snapshot, state = self._read()
        else:
            message = f"{name}: the external ID keeps changing concurrently"
            raise TerraformError(message, hint=f"find out who changes it, then {_AGAIN}")
        self.rotation.rotated = self._new is not None
        if state.stage is Stage.PROMOTED:
            now = self._now()
            self.rotation.until = until = update_grace(self._aws, self._venue, snapshot, options.grace, now)
            over = "; the grace period is over: run --finish" if now >= until else ""
            self._report(f"both external IDs are accepted; grace period until {to_minute(until)}{over}")
        elif state.ids is not None and self.rotation.steps:
            self._verify(state.ids.current, caller)

    def record(self, ledger: Ledger) -> None:
        """Record in the ledger where the rotation ended, if it changed anything.

        :raises DeliveryError: it cannot be recorded.
        """
        stage = self.rotation.ended.value
        try:
            if self.changed:
                ledger.record(Kind.ROTATION, stage=stage)
        except VenueAccessError as error:
            message = f"the rotation is '{stage}', which could not be recorded in the ledger: {error.message}"
            raise DeliveryError(message, hint=error.hint) from error

    def _read(self) -> tuple[VenueSnapshot, RotationState]:
        snapshot = read_snapshot(self._aws, self._venue)
        self._seen.update(snapshot.every_id)
        state = rotation_state(snapshot)
        self.rotation.ended = state.stage
        return snapshot, state

    def _check_caller(self, caller: CallerIdentity, snapshot: VenueSnapshot, state: RotationState) -> None:
        """Check that this caller can verify an ID, or before a repair, that it might.

        :raises UsageError: it cannot, and verification is not to be skipped.
        """
        reason = why_not_trusted(self._venue, caller)
        if reason is None and state.ids is not None and not self._options.repair:
            # A recent change may not have been applied everywhere; one attempt is enough for an old one.
            since = timedelta(seconds=2 * _PROPAGATION.timeout)
            is_old = snapshot.parameter is not None and self._now() - snapshot.parameter.modified > since
            retry_policy = RetryPolicy(timeout=0) if is_old else _PROPAGATION
            in_use = snapshot.stored or state.ids.current
            self._reporter.now(f"{self._venue.name}: verifying the external ID in use")
            if not retry_policy.until(lambda: can_assume(self._sessions, in_use)):
                reason = f"{caller.arn} cannot assume the role with its present external ID"
        self._unverifiable = reason
        if reason is not None and not self._options.skip_verification:
            raise UsageError(
                f"{self._venue.name}: a rotation verifies each ID before it is used, and you cannot: {reason}",
                hint="rotate with credentials that may assume the role, or pass --skip-verification",
            )

    def _is_over(self, snapshot: VenueSnapshot, state: RotationState) -> bool:
        options = self._options
        if state.stage is Stage.PROMOTED:
            until = grace_until(snapshot)
            return options.grace is not None or (not options.finish and until is not None and self._now() < until)
        return state.stage is Stage.STABLE and (options.finish or snapshot.stored == self._new)

    def _step(self, snapshot: VenueSnapshot, state: RotationState) -> None:
        """Take one step of the module's table, or none if the venue changes concurrently."""
        ids = state.ids
        if ids is None:
            self._repair(snapshot)
        elif state.stage is Stage.PARAMETER_LOST:
            if self._update.apply(snapshot, ids, role=False, parameter=True):
                self._did("restored the SSM parameter from the trust policy", ids, ids.current)
        elif ids.pending is None:
            both = replace(ids, pending=new_external_id())
            if self._update.apply(snapshot, both):
                set_grace(self._aws, self._venue, snapshot, None)  # of an earlier rotation that was killed at its end
                self._did("created a new external ID: the role accepts both", both)
        elif state.stage is Stage.PENDING:
            self._promote(snapshot, ids, ids.pending)
        elif self._update.apply(snapshot, ExternalIds(ids.pending)):
            self._new = ids.pending
            set_grace(self._aws, self._venue, snapshot, None)
            self._did("retired the old external ID", ExternalIds(ids.pending))

    def _promote(self, snapshot: VenueSnapshot, ids: ExternalIds, new: ExternalId) -> None:
        name = self._venue.name
        if self._unverifiable is None:
            self._reporter.now(f"{name}: waiting until AWS accepts the new external ID")
            if not _PROPAGATION.until(lambda: can_assume(self._sessions, new)):
                raise AwsError(
                    f"{name}: the role does not accept the new external ID after {_PROPAGATION.timeout:.0f} s;"
                    " the present one stays in use",
                    hint="run the command again later: it resumes",
                )
        if read_snapshot(self._aws, self._venue) != snapshot:
            self._reporter.line(f"{name}: changed concurrently, retrying")
            return
        if self._options.grace is not None:  # first, so that a run after a kill does not end it at once
            set_grace(self._aws, self._venue, snapshot, self._now() + self._options.grace)
        overwrite_parameter(self._aws, self._venue.external_id_parameter, new)
        self._new = new
        self._did("promoted it: tokens are issued with the new one", ids, new)

    def _repair(self, snapshot: VenueSnapshot) -> None:
        new, stored = new_external_id(), snapshot.stored
        # PENDING: the trust policy accepts the ID that tokens are issued with again, and the new one. Without an ID
        # that a role could accept, no token can be issued until there is another.
        is_usable = stored is not None and stored.fits
        ids = ExternalIds(stored, new) if stored is not None and is_usable else ExternalIds(new)
        if self._update.apply(snapshot, ids, parameter=stored is None):
            if stored is not None and not is_usable:
                overwrite_parameter(self._aws, self._venue.external_id_parameter, new)
            self._new = new
            self._did("repaired the trust policy", ids)

    def _verify(self, current: ExternalId, caller: CallerIdentity) -> None:
        if self._unverifiable is None:
            self._reporter.now(f"{self._venue.name}: verifying that only the new external ID is accepted")
            old = self._seen - {current}
            self._unverifiable = verify_trust_policy(
                self._sessions, current, caller=caller, refused=old, retry_policy=_PROPAGATION
            )
        if self._unverifiable is None:
            self._report(f"verified that {'the old one, ' if old else ''}a wrong one and none are refused")
        else:
            self._reporter.warn(f"{self._venue.name}: the trust policy was not verified: {self._unverifiable}")

    def _did(self, step: str, ids: ExternalIds, stored: ExternalId | None = None) -> None:
        """Report a step, and wait until a snapshot shows it: a read may lag behind a write."""
        self.changed = True
        self._report(step)

        def is_visible() -> bool:
            snapshot = read_snapshot(self._aws, self._venue)
            return rotation_state(snapshot).ids == ids and (snapshot.stored == stored or stored is None)

        _PROPAGATION.until(is_visible)

    def _report(self, step: str) -> None:
        self.rotation.steps.append(step)
        self._reporter.line(f"{self._venue.name}: {step}")
