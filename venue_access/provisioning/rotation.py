"""Rotate a venue's external ID in two phases, with never a moment at which issuing fails.

Each step is decided from what AWS holds (``stages``), so a run that was killed is simply run again:

    stage            step      what is done
    STABLE           announce  the trust policy accepts a new ID too
    ANNOUNCED        publish   once AWS accepts it, the parameter holds it, and tokens are issued with it
    PUBLISHED        retire    the trust policy accepts it alone
    PARAMETER_LOST   restore   the parameter holds what the trust policy accepts
    BROKEN           repair    a new ID, and a stage of the above that leads to STABLE
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone

from venue_access.aws.client import CallerIdentity
from venue_access.aws.identity import caller_in_account, why_not_trusted
from venue_access.aws.parameters import overwrite_parameter
from venue_access.config import Settings
from venue_access.errors import AwsError, Interrupted, TerraformError, UsageError, VenueAccessError
from venue_access.inventory.model import Venue
from venue_access.ledger.book import Ledger
from venue_access.ledger.proofs import ProofSessions
from venue_access.policies.documents import ExternalIds
from venue_access.provisioning.external_id_update import IdChange
from venue_access.provisioning.grace import check_grace_over, clear_grace, grace_line, in_grace, set_grace, settle_grace
from venue_access.provisioning.reporter import Reporter
from venue_access.provisioning.root_module import RootModule
from venue_access.provisioning.rotation_state import Stage, Standing, is_importable, new_external_id, standing
from venue_access.provisioning.rotation_terms import Rotation, RotationOptions, record_rotation
from venue_access.provisioning.stack import Stack
from venue_access.provisioning.trust_check import RetryPolicy, opens, verify_trust_policy
from venue_access.provisioning.venue_snapshot import VenueSnapshot, read_snapshot
from venue_access.sensitive import ExternalId

_AGAIN = "run the command again: it goes on from where things stand"
_AS_BEFORE = "tokens can be issued as before"
_GOES_ON = f"{_AS_BEFORE}, and the next run goes on from where things stand"
_STEPS = 8  # more than any way through the table of stages takes, unless somebody else keeps changing it


def rotate(
    settings: Settings,
    stack: Stack,
    venue: Venue,
    ledger: Ledger,
    options: RotationOptions,
    reporter: Reporter,
    *,
    retry_policy: RetryPolicy | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
) -> Rotation:
    """Rotate a venue's external ID, or take up the rotation that is under way; what was done is entered.

    :param ledger: the venue's, and the way to its account.
    :raises UsageError: the venue is not provisioned, is broken (``repair``), or the caller can prove nothing.
    :raises CredentialsError: the caller's credentials are of another account.
    """
    aws = ledger.aws()
    root = RootModule(settings, stack, aws, waiting=reporter.line, lock_timeout=options.lock_timeout)
    change = IdChange(root, venue, aws, reporter, carry=options.repair)
    sessions = ProofSessions("rotate-external-id", aws, venue)
    run = _Run(venue, sessions, options, reporter, change, retry_policy or RetryPolicy(), now)
    try:
        with root.locked(), sessions.recorded(lambda *_: ledger, reporter.warn):
            rotation = run.rotate()
    except BaseException as error:
        try:
            record_rotation(ledger, run.stage, changed=run.changed)
        except VenueAccessError as also:
            reporter.warn(also.message)
        if isinstance(error, KeyboardInterrupt):
            raise Interrupted(f"{venue.name}: interrupted; {_AS_BEFORE}", hint=_AGAIN) from None
        if isinstance(error, UsageError) and run.changed:
            told = f"{venue.name}: {error.message}; the rotation is left half done, and {_AS_BEFORE}"
            raise TerraformError(told, hint=f"mend that; then {_AGAIN}") from error
        if isinstance(error, (AwsError, TerraformError)) and run.acting and "goes on" not in (error.hint or ""):
            error.hint = "; ".join(filter(None, [error.hint, _GOES_ON]))
        raise
    record_rotation(ledger, run.stage, changed=run.changed)
    return rotation


@dataclass
class _Run:
    """One run, from whatever stage it finds."""

    _venue: Venue
    _sessions: ProofSessions
    _options: RotationOptions
    _reporter: Reporter
    _change: IdChange
    _patience: RetryPolicy
    _now: Callable[[], datetime]
    _unproved: str | None = None
    """Why an ID cannot be proved to work."""
    steps: list[str] = field(default_factory=list)
    stage: Stage = Stage.ABSENT
    """Where it stood when it was last looked at."""
    acting: bool = False
    """Whether it has begun to change something."""
    changed: bool = False
    _fresh: ExternalId | None = None
    """The ID that this run brings in."""
    _seen: set[ExternalId] = field(default_factory=set)
    """Every ID that was accepted or published at some time of it."""

    def rotate(self) -> Rotation:
        caller = caller_in_account(self._sessions.aws, self._venue)
        live, began = self._look()
        self._check(live, began)
        if began.stage is Stage.PUBLISHED and self._options.grace is None and not self._options.finish:
            check_grace_over(self._venue, live, self._now())
        self._unproved = self._why_unprovable(caller, live, began)
        if self._unproved is not None and not self._options.skip_verification:
            raise UsageError(
                f"{self._venue.name}: a rotation proves each ID before it is used, and you cannot: {self._unproved}",
                hint="rotate with keys that may assume the role, or trust that AWS is in time with --skip-verification",
            )
        stands = began
        for _ in range(_STEPS):
            if self._is_over(live, stands):
                until = self._tell_grace(live) if stands.stage is Stage.PUBLISHED else None
                if stands.stage is Stage.STABLE and self.steps:
                    self._prove(stands, caller)
                fresh = self._fresh is not None
                return Rotation(self._venue, began.stage, stands.stage, tuple(self.steps), rotated=fresh, until=until)
            self._step(live, stands)
            live, stands = self._look()
        raise TerraformError(
            f"{self._venue.name}: somebody else keeps changing the external ID",
            hint=f"find out who, then {_AGAIN}",
        )

    def _look(self) -> tuple[VenueSnapshot, Standing]:
        live = read_snapshot(self._sessions.aws, self._venue)
        self._seen.update(live.every_id)
        stands = standing(live)
        self.stage = stands.stage
        return live, stands

    def _check(self, live: VenueSnapshot, stands: Standing) -> None:
        name = self._venue.name
        if stands.stage is Stage.ABSENT:
            why = f": {stands.reason}" if stands.reason else ""
            raise UsageError(
                f"{name} is not provisioned{why}", hint=f"provision it with: invoke provision --venue {name}"
            )
        if stands.stage is Stage.BROKEN and not self._options.repair:
            repair = f"make a new one with: invoke rotate-external-id --venue {name} --repair"
            import_hint = f"keep it with: invoke provision --venue {name}; or {repair}"
            raise UsageError(
                f"{name}: its external ID is in no state that a rotation knows: {stands.reason}",
                hint=import_hint if is_importable(live) else repair,
            )

    def _why_unprovable(self, caller: CallerIdentity, live: VenueSnapshot, stands: Standing) -> str | None:
        """Why this caller could not tell whether an ID works; None where it can, and before a repair, where it may."""
        against = why_not_trusted(self._venue, caller)
        if against is not None or self._options.repair or stands.ids is None:
            return against
        used = live.published or stands.ids.current
        # What changed just now may not have spread; what has long been so is not asked for twice.
        settled = live.parameter is not None and self._now() - live.parameter.modified > timedelta(
            seconds=2 * self._patience.timeout
        )
        retry_policy = replace(self._patience, timeout=0) if settled else self._patience
        self._reporter.now(f"{self._venue.name}: trying the external ID that is in use")
        if retry_policy.until(lambda: opens(self._sessions, used)):
            return None
        return f"{caller.arn} cannot assume the role with its present external ID"

    def _is_over(self, live: VenueSnapshot, stands: Standing) -> bool:
        if stands.stage is Stage.PUBLISHED:
            return self._options.grace is not None or (not self._options.finish and in_grace(live, self._now()))
        if stands.stage is not Stage.STABLE or stands.ids is None:
            return False
        return self._options.finish or stands.ids.current == self._fresh

    def _step(self, live: VenueSnapshot, stands: Standing) -> None:
        """One step of the module's table; where somebody else was faster, none."""
        self.acting = True
        ids = stands.ids
        if ids is None:
            self._repair(live)
        elif stands.stage is Stage.PARAMETER_LOST:
            self._restore(live, ids)
        elif ids.pending is None:
            self._announce(live, ids)
        elif stands.stage is Stage.ANNOUNCED:
            self._publish(live, ids, ids.pending)
        else:
            self._retire(live, ids.pending)

    def _announce(self, live: VenueSnapshot, ids: ExternalIds) -> None:
        both = replace(ids, pending=new_external_id())
        if self._change.apply(live, both):
            clear_grace(self._sessions.aws, self._venue, live)  # of an earlier rotation that was killed at its end
            self._did("announced a new external ID: the role accepts both", both)

    def _publish(self, live: VenueSnapshot, ids: ExternalIds, incoming: ExternalId) -> None:
        if self._unproved is None:
            self._reporter.now(f"{self._venue.name}: waiting until AWS accepts the new external ID")
            if not self._patience.until(lambda: opens(self._sessions, incoming)):
                raise AwsError(
                    f"{self._venue.name}: the role does not accept the new external ID after"
                    f" {self._patience.timeout:.0f} s; the one in use stays in use",
                    hint="run the command again later: it goes on from here",
                )
        if self._put(live, incoming):
            self._fresh = incoming
            self._did("published it: tokens are issued with the new one", ids, incoming)

    def _retire(self, live: VenueSnapshot, incoming: ExternalId) -> None:
        if self._change.apply(live, ExternalIds(incoming)):
            self._fresh = incoming
            clear_grace(self._sessions.aws, self._venue, live)
            self._did("took the old external ID out of use", ExternalIds(incoming))

    def _restore(self, live: VenueSnapshot, ids: ExternalIds) -> None:
        if self._change.apply(live, ids, role=False, parameter=True):
            self._did("restored the SSM parameter from the trust policy", ids, ids.current)

    def _repair(self, live: VenueSnapshot) -> None:
        fresh, published = new_external_id(), live.published
        if published is not None and published.fits:
            # First the trust policy accepts again what tokens are issued with, beside the new one: ANNOUNCED.
            ids = ExternalIds(published, fresh)
            done = self._change.apply(live, ids)
        else:
            # With none, or one that no role could accept, no token can be issued until there is another.
            ids = ExternalIds(fresh)
            done = self._change.apply(live, ids, parameter=published is None)
            if done and published is not None:
                overwrite_parameter(self._sessions.aws, self._venue.external_id_parameter, fresh)
        if done:
            self._fresh = fresh
            self._did("repaired the trust policy", ids)

    def _put(self, live: VenueSnapshot, external_id: ExternalId) -> bool:
        """Write the parameter, unless somebody else changed something since ``live`` was read."""
        if read_snapshot(self._sessions.aws, self._venue) != live:
            self._reporter.line(f"{self._venue.name}: somebody else changed it meanwhile; looking again")
            return False
        if self._options.grace is not None:  # first, so that no run that is killed here ends it at once
            set_grace(self._sessions.aws, self._venue, self._now() + self._options.grace)
        overwrite_parameter(self._sessions.aws, self._venue.external_id_parameter, external_id)
        return True

    def _prove(self, stands: Standing, caller: CallerIdentity) -> None:
        assert stands.ids is not None
        if self._unproved is None:
            self._reporter.now(f"{self._venue.name}: proving that only the new external ID is accepted")
            current = stands.ids.current
            old = tuple(self._seen - {current})
            proofs = verify_trust_policy(
                self._sessions, current, caller=caller, refused=old, retry_policy=self._patience
            )
            if proofs.skipped is None:
                self._tell(f"proved that {'the old one, ' if old else ''}a wrong one and none are refused")
                return
            self._unproved = proofs.skipped
        self._reporter.warn(f"{self._venue.name}: the trust policy was not verified: {self._unproved}")

    def _tell_grace(self, live: VenueSnapshot) -> datetime:
        until = settle_grace(self._sessions.aws, self._venue, live, self._options.grace, self._now())
        self._tell(grace_line(until, self._now()))
        return until

    def _did(self, step: str, ids: ExternalIds, published: ExternalId | None = None) -> None:
        """Tell a step, and wait until AWS shows what it wrote: a reading may lag behind a writing."""
        self.changed = True
        self._tell(step)

        def shown() -> bool:
            live = read_snapshot(self._sessions.aws, self._venue)
            return standing(live).ids == ids and (live.published == published or published is None)

        self._patience.until(shown)

    def _tell(self, step: str) -> None:
        self.steps.append(step)
        self._reporter.line(f"{self._venue.name}: {step}")
