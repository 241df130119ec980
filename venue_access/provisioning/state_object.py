"""A stack's state in S3, read and written under Terraform's own lock, and the warnings of its bucket.

The lock is an object beside the state, ``<key>.tflock``, which S3 creates only if there is none (Terraform
documentation, "Backend Type: s3", ``use_lockfile``; Amazon S3 User Guide, "Conditional writes").
"""

from __future__ import annotations

import json
import os
import platform
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from venue_access.aws.client import AwsClient
from venue_access.errors import AwsError, StateLocked, UsageError, VenueAccessError, printable
from venue_access.provisioning.stack import Stack, StateLocation, parse_state

_TAKEN = ("PreconditionFailed", "ConditionalRequestConflict")


@dataclass(frozen=True)
class Lock:
    """A held lock of a state."""

    id: str
    who: str
    since: str

    def __str__(self) -> str:
        return printable(f"{self.who} since {self.since[:16].replace('T', ' ')} UTC")


class StateObject:
    """A stack's state in S3.

    :param location: the object in S3.
    :param aws: a client of the stack's account.
    """

    def __init__(self, stack: Stack, location: StateLocation, aws: AwsClient) -> None:
        assert location.bucket is not None, "the state is local"
        self._stack = stack
        self._location = location
        self._bucket = location.bucket
        self._key = location.key
        self._lock_key = f"{location.key}.tflock"
        self._aws = aws.in_region(location.region)
        self._etags: dict[str, str] = {}
        """The ETag last read or written, by key: only that version is deleted."""

    def read(self) -> dict[str, Any]:
        """Return the state; empty if there is none.

        :raises UsageError: the object is not a Terraform state.
        """
        state = parse_state(self._get(self._key) or "{}")
        if state is None:
            raise UsageError(
                f"{self._location} is not a Terraform state",
                hint="restore an older version of that object, or delete it: provision then imports what exists",
            )
        return state

    def create(self, state: Mapping[str, Any]) -> None:
        """Write the state.

        :raises UsageError: there is one already, which is not overwritten.
        """
        if not self._put(self._key, json.dumps(state)):
            raise UsageError(f"{self._location} exists already, and nothing is overwritten")

    def remove(self) -> None:
        """Delete the state that was read, if any; a versioned bucket keeps it.

        :raises UsageError: it has been written since, without the lock.
        """
        if self._key in self._etags and not self._delete(self._key):
            raise UsageError(f"{self._location} has changed since it was read", hint="run the command again")

    @contextmanager
    def locked(
        self, new_id: Callable[[], object] = uuid.uuid4, now: Callable[[timezone], datetime] = datetime.now
    ) -> Iterator[None]:
        """Hold the state's lock, as Terraform does.

        :raises StateLocked: the lock is held already.
        """
        own = {
            "ID": str(new_id()),
            "Operation": "OperationTypeMigrate",
            "Who": f"{os.environ.get('USER') or os.getuid()}@{platform.node()}",
            "Created": now(timezone.utc).isoformat().replace("+00:00", "Z"),
            "Path": f"{self._bucket}/{self._key}",
        }
        if not self._put(self._lock_key, json.dumps(own)):
            held = self.lock()
            raise StateLocked(
                f"{self._stack.name}: the Terraform state is locked by {held or 'another run'}",
                hint=self._unlocking(held) if held else "run the command again",
            )
        try:
            yield
        finally:
            self._delete(self._lock_key)  # only this lock: after a force-unlock another may be there

    def lock(self) -> Lock | None:
        """Return the lock that is held, or None."""
        text = self._get(self._lock_key)
        if text is None:
            return None
        try:
            held = json.loads(text)
            return Lock(str(held["ID"]), str(held.get("Who", "?")), str(held.get("Created", "?")))
        except (ValueError, KeyError, TypeError):
            return Lock("?", "something other than Terraform", "?")

    def unlock(self, lock_id: str) -> Lock | None:
        """Remove the lock with this ID, and no other; return it, or None if there is none.

        :raises UsageError: another lock is held, or was taken concurrently.
        """
        held = self.lock()
        if held is None:
            return None
        if held.id != lock_id:
            raise UsageError(
                f"{self._stack.name}: its state is locked by {held}, with another lock ID", hint=self._unlocking(held)
            )
        if not self._delete(self._lock_key):
            raise UsageError(
                f"{self._stack.name}: the lock of {held} was removed concurrently, and the state was locked again",
                hint="run the command again to see by whom",
            )
        return held

    def _unlocking(self, held: Lock) -> str:
        name = self._stack.venues[0].name
        return f"wait for it to end; if that run is gone: invoke state.force-unlock --venue {name} --lock {held.id}"

    def _get(self, key: str) -> str | None:
        try:
            content, self._etags[key] = self._aws.object_with_etag(self._bucket, key)
            return content.decode(errors="replace")
        except AwsError as error:
            if error.code == "NoSuchKey":
                return None
            raise

    def _put(self, key: str, text: str) -> bool:
        """Create an object; return False if there is another.

        botocore retries a request whose response was lost: S3 may then refuse it because of the first one.
        """
        encryption: dict[str, Any] = {"ServerSideEncryption": "AES256"}
        if self._location.kms_key_id is not None:
            encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": self._location.kms_key_id}
        try:
            body = text.encode()
            answer = self._aws.call(
                "s3", "put_object", Bucket=self._bucket, Key=key, Body=body, IfNoneMatch="*", **encryption
            )
        except AwsError as error:
            if error.code in _TAKEN:
                return self._get(key) == text
            raise
        self._etags[key] = answer["ETag"]
        return True

    def _delete(self, key: str) -> bool:
        """Delete an object if it is still the one that was read or written; return False if it is another.

        S3 itself compares the ETag (Amazon S3 User Guide, "How to perform conditional deletes").
        """
        try:
            self._aws.find("s3", "delete_object", Bucket=self._bucket, Key=key, IfMatch=self._etags[key])
        except AwsError as error:
            if error.code in _TAKEN:
                return False
            raise
        return True


def bucket_warnings(location: StateLocation, aws: AwsClient) -> list[str]:
    """Return what makes a bucket unfit for a state, each with its remedy; nothing if the caller may not read it.

    It holds external IDs, and a bad write must be undone: it should be versioned, encrypted and block public access
    (Terraform documentation, "Backend Type: s3"; Amazon S3 User Guide, "Blocking public access to your Amazon S3
    storage").
    """
    assert location.bucket is not None, "the state is local"
    try:
        return list(_bucket_warnings(location.bucket, aws.in_region(location.region)))
    except VenueAccessError:
        return []  # Terraform reports why the bucket cannot be reached


def _bucket_warnings(bucket: str, aws: AwsClient) -> Iterator[str]:
    def read(operation: str, absent: str) -> dict[str, Any]:
        try:
            return aws.call("s3", operation, Bucket=bucket)
        except AwsError as error:
            if error.code == absent:
                return {}
            raise

    put = f"aws s3api put-{{}} --bucket {bucket} --{{}}"
    if read("get_bucket_versioning", "").get("Status") != "Enabled":
        remedy = put.format("bucket-versioning", "versioning-configuration Status=Enabled")
        yield f"the state's bucket {bucket} keeps no versions: {remedy}"
    if not read("get_bucket_encryption", "ServerSideEncryptionConfigurationNotFoundError"):
        rules = '\'{"Rules":[{"ApplyServerSideEncryptionByDefault":{"SSEAlgorithm":"AES256"}}]}\''
        remedy = put.format("bucket-encryption", f"server-side-encryption-configuration {rules}")
        yield f"the state's bucket {bucket} is not encrypted: {remedy}"
    blocks = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    found = read("get_public_access_block", "NoSuchPublicAccessBlockConfiguration")
    if not all(found.get("PublicAccessBlockConfiguration", {}).get(block) for block in blocks):
        every = ",".join(f"{block}=true" for block in blocks)
        remedy = put.format("public-access-block", f"public-access-block-configuration {every}")
        yield f"the state's bucket {bucket} does not block public access: {remedy}"
