"""A ledger in S3 beside what others put there: nothing blocks it, and what is not linked to it is named."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from tests.functional.kit import ACCOUNT, REGION, Kit, new_venue
from tests.unit.ledger.records import ISSUE, a_record
from venue_access.aws.client import AwsClient, Credentials
from venue_access.errors import AccessDenied, CheckFailed, printable
from venue_access.inventory.model import LedgerBucket
from venue_access.ledger.book import StoredLedger
from venue_access.ledger.chain import End, link, read, read_all
from venue_access.ledger.s3 import S3Ledger
from venue_access.ledger.verify import head, read_ledgers, verify
from venue_access.sensitive import Secret


class Bucket:
    """A bucket with a ledger under ``kit/``, and whoever may write there."""

    def __init__(self, root: AwsClient, name: str) -> None:
        self.root, self.name = root, name
        root.call("s3", "create_bucket", Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})

    def ledger(self) -> S3Ledger:
        return S3Ledger(LedgerBucket(self.name, "kit/", REGION), lambda: self.root)

    def kept(self) -> list[StoredLedger]:
        return [StoredLedger(self.ledger(), ("unity-dev",))]

    def put(self, name: str, body: bytes | str = b"garbage") -> str:
        content = body.encode() if isinstance(body, str) else body
        self.root.call("s3", "put_object", Bucket=self.name, Key=f"kit/{name}", Body=content)
        return f"kit/{name}"

    def remove(self, key: str) -> None:
        self.root.call("s3", "delete_object", Bucket=self.name, Key=key)

    def numbers(self) -> list[int]:
        return [read(line, 0).number for line in self.ledger().lines()]

    def issue(self, user: str) -> str:
        """Append a record as another operator's run does, who has seen that it can; the name of its object."""
        ledger = self.ledger()
        ledger.prepare()
        ledger.append(a_record(recipient=user))
        return next(line.where for line in ledger.lines() if f'"recipient":"{user}"' in line.text)


def named(number: int) -> str:
    return f"{999_999_999_999 - number:012d}.json"


@pytest.fixture
def bucket(kit: Kit, work_directory: Path) -> Bucket:
    made = Bucket(kit.root(ACCOUNT), f"{new_venue()}-ledger")
    for user in ("alice", "bob", "carol"):
        made.issue(user)
    return made


def check_whole(bucket: Bucket, count: int) -> None:
    verified = verify(bucket.kept())
    assert [line.split(": ")[1] for line in verified.lines] == [f"{count} records; none was changed, removed or moved"]
    assert read_ledgers(bucket.kept()).warnings == []


@pytest.mark.parametrize(
    "name", ["000000000000.json", "!.json", "999", "999999999999.json", "99999999999.json", "zzz.json", "zz\nz.json"]
)
def test_foreign_object_is_reported_with_remedy(bucket: Bucket, name: str) -> None:
    key = bucket.put(name, b"x" * 200_000)
    end, is_writable = bucket.ledger().prepare()
    assert (end.number, end.damaged, end.apart, is_writable) == (3, (), (), True)
    bucket.issue("dave")
    assert bucket.numbers() == [1, 2, 3, 4]
    with pytest.raises(CheckFailed, match=re.escape(f"{printable(key)} is not a record")) as raised:
        verify(bucket.kept())
    assert f"aws s3 rm s3://{bucket.name}/NAME" in str(raised.value)
    bucket.remove(key)
    check_whole(bucket, 4)


def test_folders_below_the_prefix_are_not_read(bucket: Bucket) -> None:
    bucket.put("999/state.json")
    bucket.put("below/" + named(4))
    bucket.put("")
    bucket.issue("dave")
    check_whole(bucket, 4)


@pytest.mark.parametrize("number", [7, 5_000, 999_999_999])
@pytest.mark.parametrize("well_formed", [False, True])
def test_object_with_high_number_is_ignored(bucket: Bucket, number: int, well_formed: bool) -> None:
    forged = link(a_record(recipient="mallory"), End(number - 1, "f" * 64))[0]
    key = bucket.put(named(number), forged if well_formed else "x" * 70_000)
    end, _ = bucket.ledger().prepare()
    assert ([each.where for each in end.apart], end.damaged) == ([key], ())
    bucket.issue("dave")
    assert bucket.numbers() == [1, 2, 3, 4, number]
    reading = read_ledgers(bucket.kept())
    assert [each.recipient for each in reading.records] == ["alice", "bob", "carol", "dave"]
    assert [each.recipient for each in reading.unverified] == ["mallory"] * well_formed
    assert key in reading.warnings[0]
    assert head(bucket.kept()) == read(bucket.ledger().lines()[3], 0).hash
    with pytest.raises(CheckFailed, match=key):
        verify(bucket.kept())
    bucket.remove(key)
    check_whole(bucket, 4)


def test_highest_number_does_not_end_the_ledger(bucket: Bucket) -> None:
    """A chain of somebody's own up to the last number there is."""
    end = End(999_999_994, "f" * 64)
    for number in range(999_999_995, 1_000_000_000):
        text, end = link(a_record(recipient="mallory"), end)
        bucket.put(named(number), text)
    bucket.issue("dave")
    assert bucket.numbers()[:4] == [1, 2, 3, 4]


def test_empty_and_large_objects_under_next_numbers(bucket: Bucket) -> None:
    keys = [bucket.put(named(4), b""), bucket.put(named(5), b"x" * 20_000_000)]
    bucket.issue("dave")
    assert bucket.numbers() == [1, 2, 3, 4, 5, 6]
    assert all(len(line.text) <= 65_536 for line in bucket.ledger().lines())
    with pytest.raises(CheckFailed, match=f"{keys[1]} is not a record: "):
        verify(bucket.kept())


def test_unreadable_object_blocks_only_if_all_are_unreadable(bucket: Bucket, work_directory: Path) -> None:
    """An archived object, or one that is encrypted with somebody else's key."""
    key = bucket.put(named(4))

    def operator(name: str, denied: str) -> S3Ledger:
        bucket.root.call("iam", "create_user", UserName=name)
        every = f"arn:aws:s3:::{bucket.name}"
        document = {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Action": "s3:*", "Resource": [every, f"{every}/*"]},
                {"Effect": "Deny", "Action": "s3:GetObject", "Resource": f"{every}/{denied}"},
            ],
        }
        text = json.dumps(document)
        bucket.root.call("iam", "put_user_policy", UserName=name, PolicyName="p", PolicyDocument=text)
        made = bucket.root.call("iam", "create_access_key", UserName=name)["AccessKey"]
        aws = bucket.root.with_credentials(Credentials(made["AccessKeyId"], Secret(made["SecretAccessKey"])))
        return S3Ledger(LedgerBucket(bucket.name, "kit/", REGION), lambda: aws)

    kept_from_one = operator(f"{bucket.name}-one", key)
    end, _ = kept_from_one.prepare()
    assert [each.where for each in end.damaged] == [key]
    kept_from_one.append(a_record(recipient="dave"))
    assert len(read_ledgers([StoredLedger(kept_from_one, ())]).records) == 4
    for act in (S3Ledger.prepare, S3Ledger.lines, S3Ledger.end):
        with pytest.raises(AccessDenied, match="cannot use the ledger"):
            act(operator(f"{bucket.name}-{act.__name__}", "*"))


@pytest.mark.parametrize("count", [1, 3, 40])
@pytest.mark.parametrize("well_formed", [False, True])
def test_object_under_next_number_is_named_by_next_record(bucket: Bucket, count: int, well_formed: bool) -> None:
    forged = {n: link(a_record(recipient=f"m{n}"), End(n - 1, f"{n:064x}"))[0] for n in range(4, 4 + count)}
    keys = [bucket.put(named(n), forged[n] if well_formed else "null") for n in forged]
    bucket.issue("dave")
    end, _ = bucket.ledger().prepare()
    assert end.damaged == ()
    bucket.issue("erin")
    reading = read_ledgers(bucket.kept())
    assert [each.recipient for each in reading.records] == ["alice", "bob", "carol", "dave", "erin"]
    assert len(reading.unverified) == (count if well_formed else 0)
    dave = next(read(line, 0) for line in bucket.ledger().lines() if '"recipient":"dave"' in line.text)
    assert dave.after == 3
    assert [each.split(" ")[0] for each in dave.document["found"]] == keys[:16]
    with pytest.raises(CheckFailed, match=f"{keys[0]}.* skips it"):
        verify(bucket.kept())
    for key in keys:
        bucket.remove(key)
    [note] = verify(bucket.kept()).notes
    assert "skips damage that has been removed" in note
    check_whole(bucket, 5)
    bucket.issue("frank")
    check_whole(bucket, 6)


def test_number_taken_before_the_write_is_skipped(bucket: Bucket) -> None:
    ledger = bucket.ledger()
    ledger.prepare()
    bucket.put(named(4))
    end = ledger.append(a_record(recipient="dave"))
    assert [each.where for each in end.damaged] == [f"kit/{named(4)}"]
    assert bucket.numbers() == [1, 2, 3, 4, 5]


def test_removed_record_does_not_block(bucket: Bucket) -> None:
    bucket.issue("dave")
    bucket.remove(f"kit/{named(2)}")
    bucket.issue("erin")
    assert bucket.numbers() == [1, 3, 4, 5]
    with pytest.raises(CheckFailed, match="record 2 was removed, between"):
        verify(bucket.kept())


def test_concurrent_writers_skip_foreign_objects(bucket: Bucket) -> None:
    for number in (4, 5, 9):
        bucket.put(named(number))
    ledgers = [bucket.ledger() for _ in range(4)]
    for each in ledgers:
        each.prepare()

    def write(number: int) -> None:
        ledgers[number % 4].append(a_record(recipient=f"user{number}"))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(24)))
    reading = read_ledgers(bucket.kept())
    assert len(reading.records) == 27
    assert reading.unverified == []
    assert len([line for line in bucket.ledger().lines() if '"found"' in line.text]) == 2


def test_copied_record_is_ignored(bucket: Bucket) -> None:
    text = bucket.ledger().lines()[0].text
    bucket.put(named(4), text)
    bucket.issue("dave")
    assert [each.recipient for each in read_ledgers(bucket.kept()).records] == ["alice", "bob", "carol", "dave"]


def test_empty_ledger_is_not_known_to_be_writable(kit: Kit) -> None:
    empty = Bucket(kit.root(ACCOUNT), f"{new_venue()}-ledger").ledger()
    assert empty.prepare() == (End(), False)
    empty.append(ISSUE)
    assert empty.prepare()[1]
    assert json.loads(empty.lines()[0].text)["number"] == 1
    assert [entry.number for entry in read_all([replace(line) for line in empty.lines()])] == [1]
