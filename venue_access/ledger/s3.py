"""A ledger in S3 that several operators share: one immutable object for each record.

An object's name is its record's number, and S3 creates it only if there is none of that name (Amazon S3 User Guide,
"Conditional writes", ``If-None-Match: *``). If two operators write the same number, S3 refuses one, who takes the next
number: so the records are one chain.

An operator who can write records can also write other objects. Only names of the right form are read, and of each
object no more than the largest possible record; objects that are not linked to the chain are ignored.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from itertools import islice
from typing import Any

from venue_access.aws.client import AwsClient
from venue_access.errors import NO_ANSWER, AwsError
from venue_access.inventory.model import LedgerBucket
from venue_access.ledger.chain import End, Entry, Line, Record, is_linked, link, read

_HIGHEST = 999_999_999_999
_MOST_RECORDS = 999_999_999  # all names have a common prefix, so that other objects are not listed
_BEGINNING = "999"
_FORM = re.compile(r"999\d{9}\.json", re.ASCII)
_LARGEST = 65_536  # bytes; no record is larger
_ATTEMPTS = 500  # each refusal is a record of another operator
_ONE_BY_ONE = 8  # consecutive foreign objects skipped one by one; beyond that, the step doubles
_BUSY_ATTEMPTS = 100
_THREADS = 16
_TAKEN, _BUSY, _GONE = "PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey"
_EMPTY = "InvalidRange"  # the object has no bytes


class S3Ledger:
    """The objects under a prefix.

    :param reach: returns the client of an account that can read and write the bucket.
    """

    def __init__(self, place: LedgerBucket, reach: Callable[[], AwsClient]) -> None:
        self._place = place
        self._reach = reach
        self._end: End | None = None
        self._lock = threading.Lock()
        key = place.kms_key_id
        self._encryption = {} if key is None else {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key}
        self._unreadable: AwsError | None = None
        """Why an object could not be read; raised if no record can be read at all."""
        self.name = f"s3://{place.bucket}/{place.prefix}"
        self.remedy = (
            "an object that is not a record blocks nothing; an administrator of the bucket can remove it:"
            f" aws s3 rm s3://{place.bucket}/NAME; a record that was changed or removed can be restored if the"
            " bucket has versioning"
        )

    def prepare(self) -> tuple[End, bool]:
        self._end, line = self._find_end()
        if line is None:
            return self._end, False
        # A write that cannot succeed, since the object exists, shows whether the caller may write.
        if self._put(line.where, line.text):
            raise AwsError(f"{self.name}: {line.where} was removed just now", hint="find out who removes objects there")
        return self._end, True

    def end(self) -> End:
        return self._find_end()[0]

    def append(self, record: Record) -> End:
        with self._lock:
            end = self._end or self._find_end()[0]
            for _ in range(_ATTEMPTS):
                text, following = link(record, end)
                if following.number > _MOST_RECORDS:
                    break
                name = self._object(following.number)
                # If the response to our own write was lost, botocore repeated it and found the object.
                if self._put(name, text) or (there := self._get(name)) == text:
                    self._end = following
                    return end
                if there is not None:
                    end = self._end = _after_taken(end, read(Line(name, there, following.number), 0))
        raise AwsError(f"{self.name}: other operators wrote the next {_ATTEMPTS} records", hint="run the command again")

    def lines(self) -> list[Line]:
        with ThreadPoolExecutor(_THREADS) as pool:
            lines = list(pool.map(self._line, reversed([*self._names()])))
        if self._unreadable is not None and not any(line.text for line in lines):
            raise self._unreadable
        return lines

    def foreign_objects(self) -> list[str]:
        return [key for key in self._keys() if key != self._place.prefix and self._number(key) is None]

    @cached_property
    def _aws(self) -> AwsClient:
        return self._reach().in_region(self._place.region)

    def _find_end(self) -> tuple[End, Line | None]:
        """Return the end of the chain with the object of its head, or with any object if nothing is linked."""
        names, most, above = self._names(2), _MOST_RECORDS, list[Entry]()
        line: Line | None = None
        with ThreadPoolExecutor(_THREADS) as pool:
            while some := list(islice(names, _THREADS if above else 2)):
                lines = {each.number: each for each in pool.map(self._line, some)}
                for line in lines.values():
                    entry = read(line, 0)
                    if entry.number == most:  # no number is left after it
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
        """Return the entry of a number, from ``lines`` or from S3; None if there is none."""
        line = lines.get(number)
        if line is None and number > 0:
            text = self._get(self._object(number))
            line = None if text is None else Line(self._object(number), text, number)
        return None if line is None else read(line, 0)

    def _object(self, number: int) -> str:
        # S3 lists by name in ascending order: with descending numbers, the newest record is listed first.
        return f"{self._place.prefix}{_HIGHEST - number:012d}.json"

    def _number(self, name: str) -> int | None:
        """Return the number in an object's name; None if it is not a record's name."""
        bare = name.removeprefix(self._place.prefix)
        return (_HIGHEST - int(bare[:12]) if _FORM.fullmatch(bare) else 0) or None

    def _names(self, first: int = 1000) -> Iterator[str]:
        """Yield the names of the records, newest first; the first page has ``first`` names."""
        return (key for key in self._keys(_BEGINNING, first) if self._number(key) is not None)

    def _keys(self, beginning: str = "", first: int = 1000) -> Iterator[str]:
        """Yield the names of the objects that begin so after the ledger's prefix, without those in folders."""
        request: dict[str, Any] = {
            "Bucket": self._place.bucket,
            "Prefix": self._place.prefix + beginning,
            "Delimiter": "/",
        }
        answer = self._call("list_objects_v2", MaxKeys=first, **request)
        while True:
            yield from (each["Key"] for each in answer.get("Contents", ()))
            if not answer["IsTruncated"]:  # S3 always returns it
                return
            answer = self._call("list_objects_v2", ContinuationToken=answer["NextContinuationToken"], **request)

    def _line(self, name: str) -> Line:
        return Line(name, self._get(name) or "", self._number(name))

    def _get(self, name: str) -> str | None:
        """Return the text of an object, up to the largest size of a record; None if there is no object.

        An object that cannot be read, such as an archived one or one encrypted with another key, has an empty text.
        """
        try:
            with self._using():
                return self._aws.read_object(self._place.bucket, name, most=_LARGEST).decode(errors="replace")
        except NO_ANSWER:
            raise
        except AwsError as error:
            if error.code == _GONE:
                return None
            if error.code != _EMPTY:
                self._unreadable = error
            return ""

    def _put(self, name: str, text: str) -> bool:
        """Create an object; return False if one of that name exists."""
        for attempt in range(_BUSY_ATTEMPTS):
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
                return True
            except AwsError as error:
                if error.code == _TAKEN:
                    return False
                if error.code != _BUSY or attempt + 1 == _BUSY_ATTEMPTS:  # S3 documents a retry for it
                    raise
        return False

    def _call(self, operation: str, **request: Any) -> dict[str, Any]:
        with self._using():
            return self._aws.call("s3", operation, **request)

    @contextmanager
    def _using(self) -> Iterator[None]:
        """Name the ledger in errors."""
        try:
            yield
        except AwsError as error:
            if error.code in (_TAKEN, _BUSY, _GONE, _EMPTY):
                raise
            raise type(error)(
                f"cannot use the ledger {self.name}: {error.message}",
                hint=error.hint
                or "the bucket must exist; for the required permissions: invoke operator-policy --issue-only",
                code=error.code,
            ) from error


def _end_before(above: Sequence[Entry], entry: Entry | None = None, before: Entry | None = None) -> End:
    """Return the end with ``entry`` as its head; of the entries above it, those with the next numbers are damage."""
    by_number = {each.number: each for each in above}
    number = 0 if entry is None else entry.number
    behind: list[Entry] = []
    while (number := number + 1) in by_number:
        behind.append(by_number[number])
    end = End(damaged=tuple(behind), skipped=len(behind)) if entry is None else End.after(entry, before, behind)
    return replace(end, apart=tuple(each for each in above if each.number >= number))


def _after_taken(end: End, taken: Entry) -> End:
    """Return the new end after another operator's record, or another object, took the next number."""
    if taken.intact and (taken.after, taken.previous) == (end.number, end.hash):
        return End.after(taken)
    step = 2 ** max(0, len(end.damaged) - _ONE_BY_ONE)
    return replace(end, damaged=(*end.damaged, taken), skipped=end.skipped + step)
