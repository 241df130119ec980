"""A ledger in S3 that many operators share: an object a record, none ever written twice.

The name of an object is its record's number, and S3 makes it only where there is none of that name (Amazon S3 User
Guide, "Conditional writes", ``If-None-Match: *``). Of two operators who write the same number one is refused, and takes
the next: so the records are one chain, whoever writes them.

Whoever may write records may also put other objects there. Only names of the one form are read, and of each object no
more than a record can have; what is not linked to the chain is passed over, whatever its number.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from typing import Any

from venue_access.aws.client import AwsClient
from venue_access.errors import AwsError, ConnectionFailed, CredentialsError, ServiceUnavailable
from venue_access.inventory.model import LedgerBucket
from venue_access.ledger.chain import End, Entry, Head, Line, is_linked, link, read
from venue_access.ledger.record import Record

_HIGHEST = 999_999_999_999
_MOST_RECORDS = 999_999_999  # so that all names begin alike, and others are not even listed
_BEGINNING = "999"
_FORM = re.compile(r"999\d{9}\.json", re.ASCII)
_LARGEST = 65_536  # bytes; no record has as many
_ATTEMPTS = 500  # each that is refused is one that another operator won
_ONE_BY_ONE = 8  # foreign objects in a row that are passed over singly; then ever more numbers are left out at once
_BUSY_ATTEMPTS = 100
_THREADS = 16
_TAKEN, _BUSY, _GONE = "PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey"
_EMPTY = "InvalidRange"  # the first bytes were asked for, and there are none


class S3Ledger:
    """The objects under a prefix.

    :param reach: the way to an account from which the bucket may be read and written.
    """

    def __init__(self, place: LedgerBucket, reach: Callable[[], AwsClient]) -> None:
        self._place = place
        self._reach = reach
        self._made: AwsClient | None = None
        self._end: End | None = None
        self._lock = threading.Lock()
        key = place.kms_key_id
        self._encryption = {} if key is None else {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key}
        self._unreadable: AwsError | None = None
        """Why an object could not be read; where no record can, the operator is to blame and not the object."""

    @property
    def name(self) -> str:
        return f"s3://{self._place.bucket}/{self._place.prefix}"

    @property
    def way_out(self) -> str:
        """Return what to do about damage."""
        return (
            "what is not a record of the ledger stops nobody and can be removed by an administrator of the bucket:"
            f" aws s3 rm s3://{self._place.bucket}/NAME; a record that was changed or removed is in the bucket's"
            " versions, if it keeps them"
        )

    def prepare(self) -> tuple[End, bool]:
        """Return where it ends, and whether it is known that a record can be added.

        :raises AwsError: it cannot be read or written.
        """
        self._end, line = self._find_end()
        if line is None:
            return self._end, False
        # Whether one may write is told by a write that can't succeed: there is an object of this name.
        if self._put(line.where, line.text):
            raise AwsError(f"{self.name} has lost {line.where} just now", hint="find out who removes objects there")
        return self._end, True

    def end(self) -> End:
        """Return where it ends.

        :raises AwsError: it cannot be read.
        """
        return self._find_end()[0]

    def append(self, record: Record) -> End:
        """Add a record; S3 has it when this returns.

        :returns: what it was linked to.
        :raises AwsError: it cannot be written.
        """
        with self._lock:
            end = self._end or self._find_end()[0]
            for _ in range(_ATTEMPTS):
                text, head = link(record, end)
                if head.number > _MOST_RECORDS:
                    break
                name = self._object(head.number)
                # Where the answer to our own write was lost it was made again, and finds the first.
                if self._put(name, text) or (there := self._get(name)) == text:
                    self._end = End(head)
                    return end
                if there is not None:
                    end = self._end = _past(end, read(Line(name, there, head.number), 0))
        raise AwsError(f"{self.name}: the next {_ATTEMPTS} records were taken", hint="run the command again")

    def lines(self) -> list[Line]:
        """Its entries in their order."""
        names = [*self._names()][::-1]
        with ThreadPoolExecutor(_THREADS) as pool:
            lines = list(pool.map(self._line, names))
        if self._unreadable is not None and not any(line.text for line in lines):
            raise self._unreadable
        return lines

    def strays(self) -> list[str]:
        """Return the names of objects among its records that are not of a record's form."""
        keys = self._keys(self._place.prefix, 1000)
        return [key for key in keys if key != self._place.prefix and self._number(key) is None]

    @property
    def _aws(self) -> AwsClient:
        if self._made is None:
            self._made = self._reach().in_region(self._place.region)
        return self._made

    def _find_end(self) -> tuple[End, Line | None]:
        """Return where it ends, with the object of its head, or any other where nothing is linked."""
        names, most, above = self._names(2), _MOST_RECORDS, list[Entry]()
        line: Line | None = None
        with ThreadPoolExecutor(_THREADS) as pool:
            while some := list(islice(names, _THREADS if above else 2)):
                lines = {each.number: each for each in pool.map(self._line, some)}
                for line in lines.values():
                    entry = read(line, 0)
                    if entry.number == most:  # there is no number left after it
                        most -= 1
                    elif entry.intact:
                        before = self._entry(entry.after, lines)
                        if is_linked(entry, before, self._entry(entry.after + 1, lines) if entry.skipped else None):
                            return _end_before(above, entry, before), line
                    above.append(entry)
        if self._unreadable is not None:
            raise self._unreadable
        return _end_before(above), line

    def _entry(self, number: int, lines: dict[int | None, Line]) -> Entry | None:
        """Return the entry of a number, from ``lines`` if it is among them; None where there is none."""
        line = lines.get(number)
        if line is None and number > 0:
            text = self._get(self._object(number))
            line = None if text is None else Line(self._object(number), text, number)
        return None if line is None else read(line, 0)

    def _object(self, number: int) -> str:
        # S3 lists by name, upwards only: counted down, the newest is the first, and found with one call.
        return f"{self._place.prefix}{_HIGHEST - number:012d}.json"

    def _number(self, name: str) -> int | None:
        """Return the number in an object's name; None where it is not a record's."""
        bare = name.removeprefix(self._place.prefix)
        number = _HIGHEST - int(bare[:12]) if _FORM.fullmatch(bare) else 0
        return number or None

    def _names(self, first: int = 1000) -> Iterator[str]:
        """Yield the names of its records, the newest first; ``first`` are asked for at first."""
        keys = self._keys(self._place.prefix + _BEGINNING, first)
        return (key for key in keys if self._number(key) is not None)

    def _keys(self, beginning: str, first: int) -> Iterator[str]:
        """Yield the names of objects that begin so, but for those in folders."""
        request: dict[str, Any] = {"Bucket": self._place.bucket, "Prefix": beginning, "Delimiter": "/"}
        answer = self._call("list_objects_v2", MaxKeys=first, **request)
        while True:
            yield from (each["Key"] for each in answer.get("Contents", ()))
            if not answer["IsTruncated"]:  # read at any rate: every list of S3's says it
                return
            answer = self._call("list_objects_v2", ContinuationToken=answer["NextContinuationToken"], **request)

    def _line(self, name: str) -> Line:
        return Line(name, self._get(name) or "", self._number(name))

    def _get(self, name: str) -> str | None:
        """Return the text of an object, as far as a record could reach; None where there is none.

        One that AWS does not give, such as one that is archived or encrypted with somebody else's key, has no text.
        """
        try:
            with self._using():
                return self._aws.read_object(self._place.bucket, name, most=_LARGEST).decode(errors="replace")
        except (ServiceUnavailable, CredentialsError, ConnectionFailed):
            raise
        except AwsError as error:
            if error.code == _GONE:
                return None
            if error.code != _EMPTY:
                self._unreadable = error
            return ""

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
            if error.code in (_TAKEN, _BUSY, _GONE, _EMPTY):
                raise
            raise type(error)(
                f"the ledger {self.name} cannot be used: {error.message}",
                hint=error.hint
                or "its bucket must exist; the rights that it takes are in: invoke operator-policy --issue-only",
                code=error.code,
            ) from error


def _end_before(above: Sequence[Entry], entry: Entry | None = None, before: Entry | None = None) -> End:
    """Return the end with ``entry`` as its head; of what is above, only what takes the next numbers is in the way."""
    by_number = {each.number: each for each in above}
    number = next_one = 1 if entry is None else entry.number + 1
    while number in by_number:
        number += 1
    behind = [by_number[each] for each in range(next_one, number)]
    end = End(Head(), tuple(behind), len(behind)) if entry is None else End.after(entry, before, behind)
    return End(end.head, end.damaged, end.skipped, tuple(each for each in above if each.number >= number))


def _past(end: End, taken: Entry) -> End:
    """Return the end as it is now that the next number is taken: by another operator's record, or by something else."""
    if taken.intact and (taken.after, taken.previous) == (end.head.number, end.head.hash):
        return End.after(taken)
    step = 2 ** max(0, len(end.damaged) - _ONE_BY_ONE)
    return End(end.head, (*end.damaged, taken), end.skipped + step, end.apart)
