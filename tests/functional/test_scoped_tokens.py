"""Scoped tokens on the AWS emulator: what is inside works, what is outside is denied, by calls of a recipient's."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.functional.issuing import ledger, refused
from tests.functional.kit import ACCOUNT, REGION, Kit, emulated
from tests.functional.proxy import Proxy
from venue_access.aws.client import AwsClient
from venue_access.errors import AccessDenied, AwsError

VENUE = "shared-dev"
BUCKET = f"{VENUE}-data"
HERE, ELSEWHERE = "127.0.0.0/8", "198.51.100.0/24"
INSIDE, OUTSIDE, BESIDE = "incoming/a", "private/a", "incoming2/a"

Call = Callable[[AwsClient], Any]


def get(key: str) -> Call:
    return lambda aws: aws.call("s3", "get_object", Bucket=BUCKET, Key=key)


def put(key: str) -> Call:
    return lambda aws: aws.call("s3", "put_object", Bucket=BUCKET, Key=key, Body=b"x")


def multipart(key: str) -> Call:
    def call(aws: AwsClient) -> None:
        where: dict[str, Any] = {"Bucket": BUCKET, "Key": key}
        upload: dict[str, Any] = {**where, "UploadId": aws.call("s3", "create_multipart_upload", **where)["UploadId"]}
        aws.call("s3", "upload_part", **upload, PartNumber=1, Body=b"x")
        aws.call("s3", "list_parts", **upload)
        aws.call("s3", "abort_multipart_upload", **upload)

    return call


def listing(prefix: str | None) -> Call:
    given: dict[str, Any] = {} if prefix is None else {"Prefix": prefix}
    return lambda aws: aws.call("s3", "list_objects_v2", Bucket=BUCKET, **given)


def location(aws: AwsClient) -> None:
    aws.call("s3", "get_bucket_location", Bucket=BUCKET)


def uploads(aws: AwsClient) -> None:
    aws.call("s3", "list_multipart_uploads", Bucket=BUCKET)


def login(aws: AwsClient) -> None:
    aws.call("ecr", "get_authorization_token")


def images(name: str) -> Call:
    return lambda aws: aws.call("ecr", "list_images", repositoryName=f"{VENUE}/{name}")


def push(name: str) -> Call:
    return lambda aws: aws.call("ecr", "initiate_layer_upload", repositoryName=f"{VENUE}/{name}")


def create(name: str) -> Call:
    return lambda aws: aws.ensure("ecr", "create_repository", repositoryName=f"{VENUE}/{name}")


def works(aws: AwsClient, call: Call) -> bool:
    """Whether AWS lets a call through; that something does not exist is said only to who may know."""
    try:
        call(aws)
    except AccessDenied:
        return False
    except AwsError as error:
        if error.code not in ("RepositoryAlreadyExistsException",):
            raise
    return True


S3_READS: dict[str, Call] = {
    "get inside": get(INSIDE),
    "list inside": listing("incoming/"),
    "list deeper": listing("incoming/a"),
    "location": location,
}
S3_READS_OUTSIDE: dict[str, Call] = {
    "get outside": get(OUTSIDE),
    "get beside": get(BESIDE),
    "list outside": listing("private/"),
    "list all": listing(None),
    "list the empty prefix": listing(""),
    "list beside": listing("incoming"),
    "list uploads": uploads,
}
S3_WRITES: dict[str, Call] = {"put inside": put(INSIDE), "upload inside": multipart(INSIDE)}
S3_WRITES_OUTSIDE: dict[str, Call] = {
    "put outside": put(OUTSIDE),
    "put beside": put(BESIDE),
    "upload outside": multipart(OUTSIDE),
}
S3 = {**S3_READS, **S3_READS_OUTSIDE, **S3_WRITES, **S3_WRITES_OUTSIDE}
LOGIN: dict[str, Call] = {"login": login}
ECR_READS: dict[str, Call] = {"images of one": images("one")}
ECR_READS_OTHER: dict[str, Call] = {"images of two": images("two"), "images of one2": images("one2")}
ECR_WRITES: dict[str, Call] = {"push to one": push("one"), "create one": create("one")}
ECR_WRITES_OTHER: dict[str, Call] = {"push to two": push("two"), "create two": create("two")}
ECR = {**LOGIN, **ECR_READS, **ECR_READS_OTHER, **ECR_WRITES, **ECR_WRITES_OTHER}
ALL = {**S3, **ECR}

PREFIX = ("--s3-prefix", "incoming/")
REPOSITORY = ("--ecr-repository", f"{VENUE}/one")
CASES: dict[tuple[str, ...], dict[str, Call]] = {
    (): ALL,
    ("--read-only",): {**S3_READS, **S3_READS_OUTSIDE, **LOGIN, **ECR_READS, **ECR_READS_OTHER},
    PREFIX: {**S3_READS, **S3_WRITES, **ECR},
    ("--s3-prefix", "incoming"): {**S3_READS, **S3_WRITES, **ECR},
    REPOSITORY: {**S3, **LOGIN, **ECR_READS, **ECR_WRITES},
    ("--no-s3",): ECR,
    ("--no-ecr",): S3,
    ("--source-ip", HERE): ALL,
    ("--source-ip", f"{ELSEWHERE},127.0.0.1"): ALL,
    ("--source-ip", ELSEWHERE): {},
    ("--read-only", *PREFIX): {**S3_READS, **LOGIN, **ECR_READS, **ECR_READS_OTHER},
    ("--read-only", "--no-ecr", *PREFIX): S3_READS,
    (*PREFIX, *REPOSITORY): {**S3_READS, **S3_WRITES, **LOGIN, **ECR_READS, **ECR_WRITES},
    ("--read-only", *PREFIX, *REPOSITORY, "--source-ip", HERE): {**S3_READS, **LOGIN, **ECR_READS},
    ("--no-s3", *REPOSITORY, "--read-only"): {**LOGIN, **ECR_READS},
    ("--no-ecr", "--source-ip", ELSEWHERE): {},
}
"""What works with a token scoped by these flags; whatever else of ALL there is, does not."""


@pytest.fixture(scope="module")
def furnished(provisioned: tuple[Kit, str]) -> Kit:
    """The shared venue with objects and repositories in it."""
    kit, name = provisioned
    assert name == VENUE
    root = kit.root()
    for key in (INSIDE, OUTSIDE, BESIDE):
        root.call("s3", "put_object", Bucket=BUCKET, Key=key, Body=b"x")
    there = {each["repositoryName"] for each in root.call("ecr", "describe_repositories")["repositories"]}
    for repository in (f"{VENUE}/{name}" for name in ("one", "one2", "two")):
        if repository not in there:  # another module may have made it
            root.call("ecr", "create_repository", repositoryName=repository)
    return kit


def token(kit: Kit, *flags: str) -> AwsClient:
    return kit.session(kit.done("issue-token", "--user", "alice", "--venue", VENUE, *flags).document())


def what_works(aws: AwsClient) -> set[str]:
    return {name for name, call in ALL.items() if works(aws, call)}


@pytest.mark.parametrize("flags", CASES, ids=lambda flags: " ".join(flags) or "none")
def test_scope_allows_inside_and_denies_outside(furnished: Kit, flags: tuple[str, ...]) -> None:
    assert what_works(token(furnished, *flags)) == set(CASES[flags])


def test_several_prefixes_and_repositories_are_allowed(furnished: Kit) -> None:
    flags = ("--s3-prefix", "incoming,private/", "--ecr-repository", f"{VENUE}/one, {VENUE}/two")
    found = what_works(token(furnished, *flags))
    assert found == set(ALL) - {
        *("get beside", "put beside", "list beside", "list all", "list the empty prefix", "list uploads"),
        "images of one2",
    }


def test_scope_uses_names_of_its_venue(furnished: Kit, tmp_path: Path) -> None:
    kit = Kit(tmp_path, furnished.work_directory)
    names = ("scope-one", "scope-two")
    kit.write_inventory({name: emulated(name) for name in names})
    for name, other in (names, names[::-1]):
        flags = ("--s3-prefix", "in", "--ecr-repository", f"{name}/a")
        aws = kit.session(kit.done("issue-token", "--user", "alice", "--venue", name, *flags).document())
        aws.call("s3", "put_object", Bucket=f"{name}-data", Key="in/a", Body=b"x")
        aws.call("ecr", "create_repository", repositoryName=f"{name}/a")
        for bucket, key in ((f"{name}-data", "out/a"), (f"{other}-data", "in/a")):
            with pytest.raises(AccessDenied):
                aws.call("s3", "put_object", Bucket=bucket, Key=key, Body=b"x")
        for repository in (f"{name}/b", f"{other}/a"):
            with pytest.raises(AccessDenied):
                aws.call("ecr", "create_repository", repositoryName=repository)
        assert "has the repositories under" in refused(
            kit, "--user", "alice", "--venue", name, "--ecr-repository", f"{other}/a", code=2
        )


def test_policy_file_scopes_token(furnished: Kit, tmp_path: Path) -> None:
    statement = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{BUCKET}/incoming/*"}
    file = tmp_path / "mine.json"
    file.write_text(json.dumps({"Version": "2012-10-17", "Statement": statement}, indent=4))
    assert what_works(token(furnished, "--policy", str(file))) == {"get inside"}
    assert ledger(furnished)[-1]["scope"] == "the policy of mine.json"
    assert what_works(token(furnished, "--policy", str(file), "--source-ip", HERE)) == {"get inside"}
    assert what_works(token(furnished, "--policy", str(file), "--source-ip", ELSEWHERE)) == set()


def test_scope_is_reported_and_recorded(furnished: Kit) -> None:
    result = furnished.done("issue-token", "--user", "alice", "--venue", VENUE, "--read-only", *PREFIX)
    assert "scoped to: read-only; S3 incoming/, packed policy size 0%" in result.err
    assert result.document()["PackedPolicySize"] == 0
    assert ledger(furnished)[-1]["scope"] == "read-only; S3 incoming/"
    plain = furnished.done("issue-token", "--user", "alice", "--venue", VENUE)
    assert "PackedPolicySize" not in plain.document()
    assert "scoped" not in plain.err
    assert ledger(furnished)[-1]["scope"] is None


def test_each_of_several_users_gets_a_scoped_token(furnished: Kit) -> None:
    lines = furnished.done("issue-token", "--user", "alice,bob", "--venue", VENUE, "--no-s3").out.splitlines()
    assert len(lines) == 2
    for line in lines:
        aws = furnished.session(json.loads(line))
        assert works(aws, login)
        assert not works(aws, get(INSIDE))


@pytest.mark.parametrize("dry", [(), ("--dry",)])
@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--ecr-repository", "shared-dev2/a"), "has the repositories under shared-dev/ only"),
        (("--s3-prefix", "in*"), "has a wildcard"),
        (("--no-s3", "--s3-prefix", "in"), "--no-s3 and --s3-prefix exclude each other"),
        (("--no-s3", "--no-ecr"), "--no-s3 and --no-ecr exclude each other"),
        (("--source-ip", "10.0.0.1/8"), "is not an address range"),
        (("--policy", "no-such-file"), "the policy file 'no-such-file' cannot be read: no such file"),
        (("--s3-prefix", ",".join(f"folder-{number:03}" for number in range(60))), "AWS takes 2048"),
    ],
)
def test_invalid_scope_is_refused_before_the_issue(
    furnished: Kit, flags: tuple[str, ...], message: str, dry: tuple[str, ...]
) -> None:
    before = len(ledger(furnished))
    result = furnished(*dry, "issue-token", "--user", "alice", "--venue", VENUE, *flags)
    assert (result.code, result.out) == (2, "")
    assert message in result.err
    assert result.err.startswith("error: ")
    assert len(ledger(furnished)) == before


def test_bucket_is_read_only_if_policy_names_it(furnished: Kit, proxy: Proxy, tmp_path: Path) -> None:
    """The inventory leaves the bucket to the platform's parameter."""
    parameter = "/unity/shared/dev/ds/datastore-bucket"
    root = furnished.root()
    root.call("ssm", "put_parameter", Name=parameter, Value=BUCKET, Type="String", Overwrite=True)
    kit = Kit(tmp_path, furnished.work_directory)
    kit.write_inventory({VENUE: emulated(VENUE, s3_buckets=None, aws_endpoint_url=proxy.url)})
    calls = {}
    for flags in ((), ("--no-s3",), PREFIX):
        proxy.forget()
        kit.done("issue-token", "--user", "alice", *flags)
        calls[flags] = [each for each in proxy.calls if each == "GetParameter"]
    assert [len(each) for each in calls.values()] == [1, 1, 2]
    assert works(kit.session(kit.done("issue-token", "--user", "alice", *PREFIX).document()), get(INSIDE))

    root.call("ssm", "delete_parameter", Name=parameter)
    message = refused(kit, "--user", "alice", *PREFIX, code=2)
    assert f"the SSM parameter {parameter} does not exist" in message
    assert ACCOUNT not in message
    assert REGION not in message
