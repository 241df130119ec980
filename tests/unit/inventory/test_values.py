"""Values of single variables, right and wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.unit.inventory.builders import FILE, KEY, ROLE, problem, venue_with
from venue_access.inventory.groups import UnsafeText, Vaulted
from venue_access.inventory.model import Recipient, StateBackend

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("key", [KEY, KEY.rpartition("/")[2], "alias/venue-access"])
def test_parameter_key_is_an_id_an_alias_or_an_arn(key: str) -> None:
    assert venue_with(external_id_kms_key=key).external_id_kms_key == key


def test_values_of_every_type() -> None:
    venue = venue_with(
        s3_buckets=["data.one", "data-two"],
        kms_key_arns=[KEY],
        source_cidrs=["198.51.100.0/24", "2001:db8::/32", "192.0.2.7"],
        principal_org_id="o-a1b2c3d4e5",
        session_tags={"Team": "Zürich 1"},
        tags={"Owner": ""},
        state={"backend": "s3", "bucket": "states", "key_prefix": "a/b", "kms_key_id": KEY},
        aws_endpoint_url="https://127.0.0.1:4566",
        operator_role_arn=ROLE,
        users={
            "alice": {"email": "a@example.org", "keys": ["age1xyz"], "timezone": "Asia/Tokyo", "venues": ["unity-dev"]},
            "bob": {"keys": ["ssh-rsa AAAA bob@home", "keys/bob.pem", "-----BEGIN CERTIFICATE-----\nMII"]},
            "carol": None,
        },
        contact="issuer@example.org",
    )
    assert venue.source_cidrs == ("198.51.100.0/24", "2001:db8::/32", "192.0.2.7/32")
    assert venue.state == StateBackend("s3", "states", "a/b/", "us-west-2", KEY)
    assert dict(venue.users) == {
        "alice": Recipient("alice", "a@example.org", ("age1xyz",), ("unity-dev",), "Asia/Tokyo"),
        "bob": Recipient("bob", keys=("ssh-rsa AAAA bob@home", "keys/bob.pem", "-----BEGIN CERTIFICATE-----\nMII")),
        "carol": Recipient("carol"),
    }


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("account_id", 1402433619, "the number 1402433619 (12 digits that begin with 0 are octal to YAML)"),
        ("account_id", 1402433619, 'write "012345670123"'),
        (
            "account_id",
            111122223333,
            'must be in quotes: YAML reads it as the number 111122223333; write "111122223333"',
        ),
        ("account_id", 5, "must be in quotes: YAML reads it as the number 5"),
        ("account_id", "1111-2222-3333", "must be 12 digits in quotes"),
        ("account_id", "11112222333٣", "must be 12 digits in quotes"),
        ("account_id", "111122223333\n", "control character"),
        ("region", "us-west2", "'us-west2' is not an AWS region; did you mean 'us-west-2'?"),
        ("region", "aws-global", "is not an AWS region"),
        ("project", "un/ity", "must be letters, digits and '_.-'"),
        ("project", "sounder", "the host name must be 'sounder-<venue>', as the project is 'sounder'"),
        ("venue", "test", "'test' disagrees with the host name, which would have to be 'unity-test'"),
        ("role_prefix", "AWSome", "must not begin with 'aws' or 'ssm'"),
        ("role_prefix", "u" * 60, "has 74 characters; IAM allows 64"),
        ("s3_buckets", "data", "expected a list, found a string; write [ ] around it"),
        ("s3_buckets", [], "is empty; name a bucket, or leave it out"),
        ("s3_buckets", ["Data"], "'Data' must be a bucket name: 3 to 63 lower-case letters"),
        ("s3_buckets", ["a..b"], "must be a bucket name"),
        ("s3_buckets", ["10.0.0.1"], "must be a bucket name"),
        ("s3_buckets", ["data\n"], "control character"),
        ("s3_buckets", ["arn:aws:s3:::data/x"], "must be the name alone: data"),
        ("s3_buckets", ["s3://data"], "must be the name alone: data"),
        ("s3_buckets", ["xn--data"], "S3 reserves"),
        ("s3_buckets", ["data", "data"], "duplicate data"),
        (
            "s3_allow_delete",
            "false",
            "expected true or false, found a string 'false'; write true or false without quotes",
        ),
        ("s3_allow_delete", 0, "expected true or false, found a number"),
        ("kms_key_arns", ["arn:aws:kms:us-west-2:111122223333:alias/x"], "is an alias, which grants nothing"),
        ("kms_key_arns", [ROLE], "must be the ARN of a KMS key"),
        ("ecr_repository_prefixes", "unity-dev/", "expected a list, found a string; write [ ] around it"),
        ("ecr_repository_prefixes", [], "is empty; name a prefix, or leave it out for the default"),
        ("ecr_repository_prefixes", ["a/", "a/"], "duplicate a/"),
        ("ecr_shared", "yes", "expected true or false"),
        ("ecr_repository_prefixes", ["unity-dev"], "must be an ECR name that ends in '/'"),
        ("ecr_repository_prefixes", ["Unity/"], "must be an ECR name"),
        ("ecr_repository_prefixes", ["/"], "must be an ECR name"),
        ("ecr_repository_prefixes", ["a//"], "must be an ECR name"),
        ("ecr_repository_prefixes", ["a.-b/"], "must be an ECR name"),
        ("external_id_kms_key", "venue-access", "the ID, alias or ARN of a KMS key"),
        ("external_id_kms_key", KEY.replace("us-west-2", "us-east-1"), "SSM takes a key of its own region"),
        ("external_id_kms_key", KEY.replace("aws", "aws-cn", 1), "is of the partition 'aws-cn'"),
        ("trusted_principals", [], "is empty, so nobody could assume the role"),
        ("trusted_principals", ["*"], "has a wildcard"),
        ("trusted_principals", ["arn:aws:iam::111122223333:role/*"], "has a wildcard"),
        (
            "trusted_principals",
            ["arn:aws:iam:111122223333:role/x"],
            "one colon too few after 'iam' (as on the platform's page); write arn:aws:iam::",
        ),
        (
            "trusted_principals",
            ["arn:aws-cn:iam::111122223333:role/x"],
            "the partition 'aws-cn', and the venue's region is of 'aws'",
        ),
        (
            "trusted_principals",
            ["arn:aws:sts::111122223333:assumed-role/ops/me"],
            "is one session; write the role it is a session of, arn:aws:iam::",
        ),
        (
            "trusted_principals",
            ["arn:aws:iam::111122223333:group/x"],
            "must be the ARN of a role, of a user, or of an account",
        ),
        ("trusted_principals", ["arn:aws:iam::1111:root"], "must name an account of 12 digits"),
        ("trusted_principals", ["arn:aws:iam:us-west-2:111122223333:root"], "names a region, and IAM has none"),
        ("trusted_principals", ["111122223333"], "a whole account is arn:aws:iam::111122223333:root"),
        ("trusted_principals", ["ec2.amazonaws.com"], "is not an ARN"),
        ("require_mfa", "yes", "expected true or false"),
        ("principal_org_id", "r-1234", "must be the ID of an AWS organization"),
        (
            "source_cidrs",
            ["10.0.0.1/8"],
            "is not an address range such as 198.51.100.0/24: 10.0.0.1/8 has host bits set",
        ),
        ("source_cidrs", [10], "expected a string, found a number (10); put it in quotes"),
        ("session_tags", {"aws:x": "y"}, "begins with 'aws:'"),
        ("session_tags", {"Team": "a", "team": "b"}, "the keys 'Team' and 'team' are the same to AWS"),
        ("tags", {str(number): "" for number in range(51)}, "has 51 entries, and AWS takes 50 at most"),
        (
            "tags",
            {str(number): "" for number in range(40)},
            "has 40 entries; AWS takes 50 at most, and 11 more are added",
        ),
        ("tags", {"Venue-Access:stack": "x"}, "begins with 'venue-access:', which is reserved for the kit's own tags"),
        ("tags", {"k": 12}, "k: expected a string, found a number (12); put it in quotes"),
        ("tags", {"k" * 129: "v"}, "must be 1 to 128 letters"),
        ("tags", {"k": "v" * 257}, "k: must be at most 256 letters"),
        ("tags", {"k": "<v>"}, "k: must be at most 256 letters"),
        ("tags", ["k"], "expected a mapping of names to strings, found a list"),
        ("permissions_boundary", "has space", "must be the name of a policy"),
        ("permissions_boundary", ROLE, "must be the name or ARN of a policy"),
        ("permissions_boundary", "arn:aws:iam::444455556666:policy/x", "is a policy of account 444455556666"),
        ("permissions_boundary", "arn:aws:iam:111122223333:policy/x", "one colon too few"),
        ("permissions_boundary", "ssm:privilegedpolicyname", "must be ssm:/path/of/a/parameter"),
        ("permissions_boundary", "ssm:/a b", "must be ssm:/path/of/a/parameter"),
        ("permissions_boundary", "ssm:" + "/a" * 16, "at most 15 levels"),
        ("permissions_boundary", "ssm:", "must be ssm:/path/of/a/parameter"),
        ("role_path", "ops", "must be '/' or a path that begins and ends in '/'"),
        ("max_session_duration", 900, "expected whole seconds from 3600 to 43200 (12 hours), found 900"),
        ("max_session_duration", "3600", "found '3600'"),
        ("max_session_duration", True, "found True"),
        ("trust_policy_limit", 2047, "expected a whole number of characters from 2048 to 8192, found 2047"),
        ("trust_policy_limit", 8193, "from 2048 to 8192"),
        ("trust_policy_limit", "4096", "found '4096'"),
        ("trust_policy_limit", True, "found True"),
        ("aws_profile", 12, "expected a string"),
        ("operator_role_arn", "arn:aws:iam::444455556666:role/x", "is a role of account 444455556666"),
        ("operator_role_arn", "arn:aws:iam::111122223333:user/x", "must be the ARN of a role"),
        ("aws_endpoint_url", "localhost:4566", "must be an http or https URL"),
        ("aws_endpoint_url", "http://host:port", "is not a URL: Port could not be cast"),
        ("aws_endpoint_url", "http://$(id)", "must be an http or https URL"),
        ("aws_endpoint_url", "http://a..b", "must be an http or https URL"),
        ("aws_profile", "[default]", "must be the name of a profile"),
        ("emulator", "true", "expected true or false"),
        ("state", "s3", "expected a mapping such as"),
        ("state", {"backend": "s3"}, "bucket is required for the s3 backend"),
        ("state", {"backend": "gcs"}, "backend: must be local or s3, found 'gcs'"),
        ("state", {"backend": "local", "bucket": "abc"}, "a local state has no bucket"),
        (
            "state",
            {"backend": "s3", "bucket": "abc", "prefix": "x"},
            "unknown key 'prefix'; did you mean 'key_prefix'?",
        ),
        ("state", {"backend": "s3", "bucket": "B"}, "bucket: 'B' must be a bucket name"),
        ("state", {"backend": "s3", "bucket": "abc", "key_prefix": "../x/"}, "key_prefix: '../x/' must be a path"),
        ("state", {"backend": "s3", "bucket": "abc", "key_prefix": "/x/"}, "key_prefix: '/x/' must be a path"),
        ("stack", "../up", "must be at most 64 letters, digits and '_.-'"),
        ("stack", "a" * 65, "must be at most 64"),
        ("users", ["alice"], "expected a mapping of names, found a list"),
        ("users", {"a b": None}, "'a b' must be 2 to 64 ASCII letters, digits and '_+=,.@-'"),
        (
            "users",
            {"-rf": None},
            "'-rf' must be 2 to 64 ASCII letters, digits and '_+=,.@-', the first a letter or digit",
        ),
        ("users", {"--": None}, "the first a letter or digit"),
        ("users", {".alice": None}, "the first a letter or digit"),
        ("users", {"+1": None}, "the first a letter or digit"),
        ("users", {"alice": {"email": "-alice@example.org"}}, "must be an email address"),
        ("contact", "-froot@example.org", "must be an email address"),
        ("aws_profile", "-x", "must be the name of a profile"),
        ("project", "-unity", "the first a letter or digit"),
        ("role_prefix", "-unity", "the first a letter or digit"),
        ("stack", "-unity", "the first a letter or digit"),
        ("users", {"é" * 3: None}, "must be 2 to 64 ASCII letters"),
        ("users", {"alice": {"mail": "x"}}, "alice: unknown key 'mail'; did you mean 'email'?"),
        ("users", {"alice": {"email": "alice"}}, "alice: email: 'alice' must be an email address"),
        ("users", {"alice": {"venues": ["unity-dve"]}}, "no venue is named 'unity-dve'; did you mean 'unity-dev'?"),
        ("users", {"alice": {"email": "a@b.c"}, "bob": {"email": "A@b.c"}}, "'alice' and 'bob' have the same email"),
        ("users", {"alice": None, "Alice": None}, "'alice' and 'Alice' differ only in case"),
        ("users", {"alice": "a@b.c"}, "alice: expected a mapping such as {email: <address>}, found a string"),
        (
            "users",
            {"alice": {"keys": ["ssh-dss AAAA"]}},
            "alice: keys: 'ssh-dss AAAA' cannot be encrypted to",
        ),
        ("users", {"alice": {"keys": ["hunter2"]}}, "age1..., ssh-ed25519, ssh-rsa, a certificate as PEM, or a file"),
        (
            "users",
            {"alice": {"timezone": "Pasadena"}},
            "alice: timezone: 'Pasadena' is not a time zone of this machine's database",
        ),
        ("users", {"alice": {"timezone": "../etc"}}, "not a time zone of this machine's database"),
        ("contact", "the issuer", "'the issuer' must be an email address"),
        ("users_only", "no", "expected true or false"),
    ],
)
def test_wrong_value(key: str, value: Any, message: str) -> None:
    found = problem(**{key: value})
    assert message in found.message
    assert (found.file, found.venue) == (FILE, "unity-dev")


@pytest.mark.parametrize("value", ["-----BEGIN PRIVATE KEY-----\nsecret", "age-secret-key-1secret"])
def test_private_key_is_not_repeated(value: str) -> None:
    found = problem(users={"alice": {"keys": [value]}})
    assert "has a private key" in found.message
    assert "secret" not in found.message.lower()


def test_credentials_in_an_endpoint_are_not_repeated() -> None:
    found = problem(aws_endpoint_url="https://me:hunter2@example.org")
    assert found.message == "has credentials; remove them from the URL"


@pytest.mark.parametrize("value", ["{{ lookup('env', 'X') }}", ["{% if x %}"], {"k": "{# note #}"}])
def test_jinja_is_an_error_only_in_variables_of_a_venue(value: Any) -> None:
    assert "has a Jinja expression, and those are not evaluated here" in problem(tags=value).message
    assert venue_with(other=value)


def test_unsafe_string_is_literal() -> None:
    assert "{{" in problem(region=UnsafeText("{{ x }}")).message
    assert "is not an AWS region" in problem(region=UnsafeText("{{ x }}")).message


def test_vaulted_value_is_an_error_only_in_variables_of_a_venue() -> None:
    assert "vaulted values are not decrypted here" in problem(users={"alice": {"email": Vaulted("x")}}).message
    assert venue_with(password=Vaulted("x"))
