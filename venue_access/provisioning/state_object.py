"""A stack's Terraform state as an object in S3: read, made and taken away under Terraform's own lock.

The lock is an object beside the state, ``<key>.tflock``, that S3 makes only where there is none (Terraform
documentation, "Backend Type: s3", ``use_lockfile``; Amazon S3 User Guide, "Conditional writes").
"""

from __future__ import annotations

import json
import os
import platform
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from venue_access.aws.client import AwsClient
from venue_access.errors import AwsError, StateLocked, UsageError, printable
from venue_access.files import write_private
from venue_access.provisioning.stack import Stack, StateLocation
from venue_access.provisioning.terraform import kept_in

_TAKEN = ("PreconditionFailed", "ConditionalRequestConflict")


@dataclass(frozen=True)
class Lock:
    """Who holds a state's lock."""

    id: str
    who: str
    since: str

    def __str__(self) -> str:
        return printable(f"{self.who} since {self.since[:16].replace('T', ' ')} UTC")


class StateObject:
    """A stack's state in S3.

    :param place: which object it is.
    :param aws: the way to the stack's account.
    """

    def __init__(
        self,
        stack: Stack,
        place: StateLocation,
        aws: AwsClient,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
        new_id: Callable[[], object] = uuid.uuid4,
    ) -> None:
        assert place.bucket is not None, "the state is local"
        self._stack = stack
        self._place = place
        self._bucket = place.bucket
        self._key = place.key
        self._aws = aws.in_region(place.region)
        self._now = now
        self._new_id = new_id
        self._etags: dict[str, str] = {}
        """What was read or written last, by key: only that is deleted."""

    def read(self) -> dict[str, Any]:
        """The state; empty where there is none."""
        text = self._get(self._key)
        try:
            state: dict[str, Any] = json.loads(text or "{}")
            kept_in(state)
        except (ValueError, LookupError, TypeError, AttributeError):
            raise UsageError(
                f"{self._place} is no state that Terraform wrote",
                hint="restore an older version of that object, or remove it: provision then imports what exists",
            ) from None
        return state

    def create(self, state: Mapping[str, Any]) -> None:
        """Put a state where there is none.

        :raises UsageError: there is one, and nothing is overwritten.
        """
        if not self._put(self._key, json.dumps(state)):
            raise UsageError(f"{self._place} exists already, and nothing is overwritten")

    def remove(self) -> None:
        """Delete the state that was read; a bucket with versions keeps it.

        :raises UsageError: somebody has written it since, without the lock.
        """
        if not self._delete(self._key):
            raise UsageError(f"{self._place} was changed since it was read", hint="run the command again")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the state's lock, as Terraform would.

        :raises StateLocked: somebody else holds it.
        """
        own = {
            "ID": str(self._new_id()),
            "Operation": "OperationTypeMigrate",
            "Who": f"{os.environ.get('USER') or os.getuid()}@{platform.node()}",
            "Created": self._now().isoformat().replace("+00:00", "Z"),
            "Path": f"{self._bucket}/{self._key}",
        }
        if not self._put(self._lock_key, json.dumps(own)):
            held = self.lock()
            raise StateLocked(
                f"{self._stack.name}: the Terraform state is locked by {held or 'somebody else'}",
                hint=self._unlocking(held) if held else "run the command again",
            )
        try:
            yield
        finally:
            self._delete(self._lock_key)  # where somebody has freed it, the lock that is there now is another's

    def lock(self) -> Lock | None:
        """Who holds the lock; None where nobody does."""
        text = self._get(self._lock_key)
        if text is None:
            return None
        try:
            held = json.loads(text)
            return Lock(str(held["ID"]), str(held.get("Who", "?")), str(held.get("Created", "?")))
        except (ValueError, KeyError, TypeError):
            return Lock("?", "something that is no Terraform", "?")

    def unlock(self, lock_id: str) -> Lock | None:
        """Take away the lock with this ID, and no other; whose it was, None where there is none.

        :raises UsageError: somebody else holds it, or took it while this was deciding.
        """
        held = self.lock()
        if held is not None and held.id != lock_id:
            raise UsageError(
                f"{self._stack.name}: its state is locked by {held}, with another lock", hint=self._unlocking(held)
            )
        if held is not None and not self._delete(self._lock_key):
            raise UsageError(
                f"{self._stack.name}: its state was freed from {held} meanwhile, and locked again",
                hint="run the command again to see by whom",
            )
        return held

    @property
    def _lock_key(self) -> str:
        return f"{self._key}.tflock"

    def _unlocking(self, held: Lock) -> str:
        free = f"invoke state.force-unlock --venue {self._stack.venues[0].name} --lock {held.id}"
        return f"wait for it to end; if it is known to be gone: {free}"

    def _get(self, key: str) -> str | None:
        try:
            content, self._etags[key] = self._aws.object_with_etag(self._bucket, key)
            return content.decode(errors="replace")
        except AwsError as error:
            if error.code == "NoSuchKey":
                return None
            raise

    def _put(self, key: str, text: str) -> bool:
        """Make an object; return False if there is another.

        botocore sends a request again whose answer was lost: S3 may then refuse it because of the first one.
        """
        how: dict[str, Any] = {"ServerSideEncryption": "AES256"}
        if self._place.kms_key_id is not None:
            how = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": self._place.kms_key_id}
        try:
            body = text.encode()
            answer = self._aws.call("s3", "put_object", Bucket=self._bucket, Key=key, Body=body, IfNoneMatch="*", **how)
        except AwsError as error:
            if error.code in _TAKEN:
                return self._get(key) == text
            raise
        self._etags[key] = answer["ETag"]
        return True

    def _delete(self, key: str) -> bool:
        """Delete an object if it is still the one that was read or written; return False if another is there.

        S3 compares it itself (Amazon S3 User Guide, "How to perform conditional deletes").
        """
        try:
            self._aws.find("s3", "delete_object", Bucket=self._bucket, Key=key, IfMatch=self._etags[key])
        except AwsError as error:
            if error.code in _TAKEN:
                return False
            raise
        return True


_MOVED = "moved-to.json"


def note_location(folder: Path, place: StateLocation) -> None:
    """Note where the state of a root has been moved to, until Terraform is told."""
    write_private(folder / _MOVED, json.dumps(asdict(place)))


def forget_note(folder: Path) -> None:
    """Terraform has been told."""
    (folder / _MOVED).unlink(missing_ok=True)


def location_of_state(folder: Path) -> StateLocation | None:
    """Where the state of a root was moved to, or else as Terraform was last told; None for one that it has not seen."""
    with suppress(OSError, ValueError, TypeError):
        return StateLocation(**json.loads((folder / _MOVED).read_text(encoding="utf-8")))
    try:
        backend = json.loads((folder / ".terraform" / "terraform.tfstate").read_text(encoding="utf-8"))["backend"]
        if backend["type"] == "local":
            return StateLocation()
        config = backend["config"]
        return StateLocation(config["bucket"], config["key"], config["region"], config.get("kms_key_id"))
    except (OSError, ValueError, KeyError, TypeError):
        return None
