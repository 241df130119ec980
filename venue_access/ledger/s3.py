"""A ledger in S3 that many operators share: an object a record, none ever written twice.

The name of an object is its record's number, and S3 makes it only where there is none of that name (Amazon S3 User
Guide, "Conditional writes", ``If-None-Match: *``). Of two operators who write the same number one is refused, and takes
the next: so the records are one chain, whoever writes them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from venue_access.aws import Aws
from venue_access.errors import AwsError, RequestError
from venue_access.inventory.model import LedgerBucket
from venue_access.ledger.chain import Head, Line, head_of, link
from venue_access.ledger.record import Record

_HIGHEST = 999_999_999_999
_ATTEMPTS = 500  # each that is refused is one that another operator won
_BUSY_ATTEMPTS = 100
_THREADS = 16
_TAKEN, _BUSY = "PreconditionFailed", "ConditionalRequestConflict"


class S3Ledger:
    """The objects under a prefix.

    :param reach: the way to an account from which the bucket may be read and written.
    """

    def __init__(self, place: LedgerBucket, reach: Callable[[], Aws]) -> None:
        self._place = place
        self._reach = reach
        self._made: Aws | None = None
        self._head: Head | None = None
        key = place.kms_key_id
        self._encryption = {} if key is None else {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key}

    @property
    def name(self) -> str:
        return f"s3://{self._place.bucket}/{self._place.prefix}"

    def last(self) -> Line | None:
        """Its newest entry, having seen that another can be added.

        :raises AwsError: it cannot be read or written.
        """
        line = self.newest()
        if line is None:
            self._head = Head()
            return None
        self._head = self._after(line)
        # Whether one may write is told by a write that can't succeed: there is an object of this name.
        if self._put(line.where, line.text):
            raise AwsError(f"{self.name} has lost {line.where} just now", hint="find out who removes objects there")
        return line

    def newest(self) -> Line | None:
        """Its newest entry."""
        names = self._names(1)
        return Line(names[0], self._get(names[0])) if names else None

    def append(self, record: Record) -> None:
        """Add a record; S3 has it when this returns.

        :raises AwsError: it cannot be written.
        """
        if self._head is None:
            self.last()
        for _ in range(_ATTEMPTS):
            assert self._head is not None
            text, head = link(record, self._head)
            name = self._object(head.number)
            if self._put(name, text):
                self._head = head
                return
            there = self._get(name)
            if there == text:  # the answer to our own write was lost, and it was made again
                self._head = head
                return
            self._head = self._after(Line(name, there))
        raise AwsError(f"{self.name}: others were faster {_ATTEMPTS} times", hint="run the command again")

    def lines(self) -> list[Line]:
        """Its entries in their order."""
        names = self._names()[::-1]
        with ThreadPoolExecutor(_THREADS) as pool:
            return [Line(name, text) for name, text in zip(names, pool.map(self._get, names), strict=True)]

    @property
    def _aws(self) -> Aws:
        if self._made is None:
            self._made = self._reach().in_region(self._place.region)
        return self._made

    def _object(self, number: int) -> str:
        # S3 lists by name, upwards only: counted down, the newest is the first, and found with one call.
        return f"{self._place.prefix}{_HIGHEST - number:012d}.json"

    def _names(self, most: int | None = None) -> list[str]:
        prefix = self._place.prefix
        request: dict[str, Any] = {"Bucket": self._place.bucket, "Prefix": prefix, "MaxKeys": most or 1000}
        if prefix:  # S3's console makes an object of this very name for a folder
            request["StartAfter"] = prefix
        names: list[str] = []
        while True:
            answer = self._call("list_objects_v2", **request)
            names += [each["Key"] for each in answer.get("Contents", ())]
            if not answer["IsTruncated"] or most is not None:  # read at any rate: every list of S3's says it
                return names
            request["ContinuationToken"] = answer["NextContinuationToken"]

    def _get(self, name: str) -> str:
        with self._using():
            return self._aws.read_object(self._place.bucket, name).decode(errors="replace")

    def _put(self, name: str, text: str, *, attempts: int = _BUSY_ATTEMPTS) -> bool:
        """Make an object; whether there was none of its name."""
        try:
            self._call(
                "put_object",
                Bucket=self._place.bucket,
                Key=name,
                Body=text.encode(),
                ContentType="application/json",
                IfNoneMatch="*",
                **self._encryption,
            )
        except AwsError as error:
            if error.code == _TAKEN:
                return False
            if error.code != _BUSY or attempts == 1:  # S3 asks that it be tried again
                raise
            return self._put(name, text, attempts=attempts - 1)
        return True

    def _call(self, operation: str, **request: Any) -> dict[str, Any]:
        with self._using():
            return self._aws.call("s3", operation, **request)

    @contextmanager
    def _using(self) -> Iterator[None]:
        """Have what goes wrong name the ledger."""
        try:
            yield
        except AwsError as error:
            if error.code in (_TAKEN, _BUSY):
                raise
            raise AwsError(
                f"the ledger {self.name} cannot be used: {error.message}",
                hint=error.hint
                or "its bucket must exist; the rights that it takes are in: invoke operator-policy --desk",
                code=error.code,
            ) from error

    def _after(self, line: Line) -> Head:
        try:
            return head_of(line.text)
        except ValueError as error:
            raise RequestError(
                f"cannot add to {self.name}: {line.where}: {error}", hint="see what invoke ledger.verify finds"
            ) from error
