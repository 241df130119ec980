from __future__ import annotations

import json
import re
from dataclasses import fields
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.unit.inventory.builders import FILE, NOT_GIVEN, ROLE, USUAL, inventory_of, venue_with
from venue_access.errors import InventoryError, Problem
from venue_access.inventory.loader import load_inventory
from venue_access.inventory.model import EmulatorSeed, LedgerBucket, Recipient, StateBackend, Venue
from venue_access.inventory.regions import DNS_SUFFIXES, PARTITIONS, REGIONS, partition_by_name
from venue_access.inventory.schema import VARIABLES
from venue_access.inventory.values import UnsafeText, Vaulted
from venue_access.inventory.venues import ORDINARY_WORDS, build_venues, inventory_warnings, venue_warnings

ROOT = Path(__file__).parents[3]
KEY = "arn:aws:kms:us-west-2:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"


def problems(**hosts: Any) -> tuple[Problem, ...]:
    with pytest.raises(InventoryError) as caught:
        build_venues(inventory_of(**hosts))
    return caught.value.problems


def problem(**variables: Any) -> Problem:
    """The one problem of a venue unity-dev with these variables."""
    (found,) = problems(unity_dev=variables)
    return found


def test_a_venue_needs_four_variables_and_has_the_documented_defaults() -> None:
    assert venue_with() == Venue(
        name="unity-dev",
        project="unity",
        venue="dev",
        account_id="111122223333",
        region="us-west-2",
        partition="aws",
        trusted_principals=(ROLE,),
        stack="unity-dev",
        role_prefix="unity",
        s3_buckets=None,
        s3_allow_delete=False,
        ecr_repository_prefixes=("unity-dev/",),
        role_path="/",
        max_session_duration=3600,
        state=StateBackend("local"),
    )


def test_every_variable_of_the_table_is_a_field_of_the_venue() -> None:
    assert set(VARIABLES) | {"name", "bucket_uses"} == {field.name for field in fields(Venue)}


def test_names_are_those_of_the_platform() -> None:
    venue = venue_with(role_path="/ops/", permissions_boundary="mcp-tenantOperator-AMI-APIG")
    assert venue.role_arn == "arn:aws:iam::111122223333:role/ops/unity-unity-dev-sts"
    assert venue.external_id_parameter == "/unity/unity/dev/cs/sts/role/external-id"
    assert venue.datastore_parameter == "/unity/unity/dev/ds/datastore-bucket"
    assert venue.permissions_boundary_arn == "arn:aws:iam::111122223333:policy/mcp-tenantOperator-AMI-APIG"
    assert venue.policy_arn("s3") == "arn:aws:iam::111122223333:policy/ops/unity-unity-dev-sts-s3"


def test_boundary_may_be_in_a_parameter() -> None:
    venue = venue_with(permissions_boundary="ssm:/unity/cs/account/privilegedpolicyname")
    assert venue.boundary_parameter == "/unity/cs/account/privilegedpolicyname"
    assert venue.permissions_boundary_arn is None
    assert venue_with(permissions_boundary="mcp").boundary_parameter is None


def test_the_region_decides_the_partition() -> None:
    principal = "arn:aws-us-gov:iam::111122223333:role/operator"
    assert venue_with(region="us-gov-west-1", trusted_principals=[principal]).partition == "aws-us-gov"


def test_the_table_of_regions_is_botocores() -> None:
    spec = find_spec("botocore")
    assert spec is not None
    assert spec.origin is not None
    partitions = json.loads((Path(spec.origin).parent / "data/partitions.json").read_text())["partitions"]
    theirs = {
        partition["id"]: sorted(region for region in partition["regions"] if not region.endswith("-global"))
        for partition in partitions
    }
    assert {partition: sorted(regions) for partition, regions in REGIONS.items()} == theirs
    assert {partition["id"]: partition["outputs"]["dnsSuffix"] for partition in partitions} == DNS_SUFFIXES
    patterns = {partition["id"]: partition["regionRegex"] for partition in partitions}
    for region, partition in PARTITIONS.items():
        newer = f"{region[:-1]}9"
        by_botocore = next((name for name, pattern in patterns.items() if re.match(pattern, newer)), "aws")
        assert partition_by_name(newer) == by_botocore == partition


def test_new_region_is_taken_where_its_partition_is_named() -> None:
    venue = venue_with(region="us-west-9", partition="aws", kms_key_arns=[KEY.replace("us-west-2", "us-west-9")])
    assert (venue.region, venue.partition) == ("us-west-9", "aws")
    assert venue.registry == "111122223333.dkr.ecr.us-west-9.amazonaws.com"
    assert venue_with(region="us-west-2", partition="aws") == venue_with()
    iso = {"trusted_principals": ["arn:aws-iso-f:iam::111122223333:root"]}
    assert venue_with(region="us-isof-north-1", partition="aws-iso-f", **iso).partition == "aws-iso-f"
    state = {"backend": "s3", "bucket": "states", "region": "us-west-9"}
    assert venue_with(partition="aws", state=state).state.region == "us-west-9"
    ledger = {"s3": {"bucket": "books", "region": "us-west-9"}}
    assert venue_with(partition="aws", ledger=ledger).ledger == LedgerBucket("books", "", "us-west-9")


@pytest.mark.parametrize(
    ("region", "partition", "said"),
    [
        ("us-west-9", NOT_GIVEN, "did you mean 'us-west-2'?; if it is a new region, set 'partition' too"),
        ("us-west-2", "aws-cn", "'us-west-2' is a region of the partition 'aws', and 'partition' is 'aws-cn'"),
        ("us-gov-south-1", "aws", "named like the regions of the partition 'aws-us-gov', and 'partition' is 'aws'"),
        ("us-west-9", "aws-iso", "named like the regions of the partition 'aws'"),
        ("us-west2", "aws", "is not an AWS region; did you mean 'us-west-2'?"),
        ("Us-West-2", "aws", "is not an AWS region"),
        ("us-west-9/../x", "aws", "is not an AWS region"),
        ("us-west-2", "aws-gov", "'aws-gov' is not an AWS partition; did you mean 'aws-us-gov'? (known: aws, aws-cn,"),
    ],
)
def test_region_that_its_partition_does_not_fit_is_refused(region: str, partition: object, said: str) -> None:
    assert said in problem(region=region, partition=partition).message


@pytest.mark.parametrize(("partition", "suffix"), DNS_SUFFIXES.items())
def test_registry_is_in_the_domain_of_its_partition(partition: str, suffix: str) -> None:
    region = REGIONS[partition][0]
    venue = venue_with(region=region, trusted_principals=[f"arn:{partition}:iam::111122223333:root"])
    assert venue.registry == f"111122223333.dkr.ecr.{region}.{suffix}"


def test_a_venue_of_the_emulator_trusts_its_operator_unless_told_otherwise() -> None:
    emulator = venue_with(emulator=True, trusted_principals=NOT_GIVEN)
    assert emulator.trusted_principals == ("arn:aws:iam::111122223333:role/venue-access-operator",)
    assert venue_with(emulator=True).trusted_principals == (ROLE,)


def test_null_is_the_same_as_not_given() -> None:
    assert venue_with(permissions_boundary=None, tags=None, s3_buckets=None, users=None) == venue_with()


@pytest.mark.parametrize("key", [KEY, KEY.rpartition("/")[2], "alias/venue-access"])
def test_a_parameters_key_is_an_id_an_alias_or_an_arn(key: str) -> None:
    assert venue_with(external_id_kms_key=key).external_id_kms_key == key


def test_values_of_every_kind_are_taken() -> None:
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


@pytest.mark.parametrize("missing", ["project", "account_id", "region", "trusted_principals"])
def test_a_required_variable_that_is_missing_is_told_with_the_venue(missing: str) -> None:
    found = problem(**{missing: NOT_GIVEN})
    assert (found.venue, found.key) == ("unity-dev", missing)
    assert found.message.startswith("is required")


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
def test_a_value_that_aws_or_the_kit_cannot_use_is_told_with_what_was_expected(
    key: str, value: Any, message: str
) -> None:
    found = problem(**{key: value})
    assert message in found.message
    assert (found.file, found.venue) == (FILE, "unity-dev")


@pytest.mark.parametrize("value", ["-----BEGIN PRIVATE KEY-----\nsecret", "age-secret-key-1secret"])
def test_a_private_key_is_refused_and_not_repeated(value: str) -> None:
    found = problem(users={"alice": {"keys": [value]}})
    assert "has a private key" in found.message
    assert "secret" not in found.message.lower()


def test_credentials_in_an_endpoint_are_refused_and_not_repeated() -> None:
    found = problem(aws_endpoint_url="https://me:hunter2@example.org")
    assert found.message == "has credentials; remove them from the URL"


@pytest.mark.parametrize("value", ["{{ lookup('env', 'X') }}", ["{% if x %}"], {"k": "{# note #}"}])
def test_jinja_in_a_variable_of_ours_is_an_error_and_in_another_is_not(value: Any) -> None:
    assert "has a Jinja expression, and those are not evaluated here" in problem(tags=value).message
    assert venue_with(other=value)


def test_a_text_tagged_unsafe_is_meant_as_it_stands() -> None:
    assert "{{" in problem(region=UnsafeText("{{ x }}")).message
    assert "is not an AWS region" in problem(region=UnsafeText("{{ x }}")).message


def test_a_vaulted_value_of_ours_is_an_error_and_of_others_is_not() -> None:
    assert "vaulted values are not decrypted here" in problem(users={"alice": {"email": Vaulted("x")}}).message
    assert venue_with(password=Vaulted("x"))


@pytest.mark.parametrize(
    ("misspelt", "meant"),
    [
        ("regoin", "region"),
        ("sourc_cidrs", "source_cidrs"),
        ("s3_bucket", "s3_buckets"),
        ("ecr_repository_prefix", "ecr_repository_prefixes"),
        ("trusted-principals", "trusted_principals"),
        ("accountId", "account_id"),
        ("STACK", "stack"),
        ("Tags", "tags"),
    ],
)
def test_misspelt_variable_is_a_warning_or_a_strict_error(misspelt: str, meant: str) -> None:
    expected = f"hosts.yml: unity-dev: unknown variable {misspelt!r} (did you mean {meant!r}?)"
    inventory = inventory_of(unity_dev={misspelt: "x"})
    assert [str(each) for each in inventory_warnings(inventory)] == [expected]
    assert build_venues(inventory)
    strict = {misspelt: "x", "strict_variables": True}
    assert str(problem(**strict)) == expected
    assert inventory_warnings(inventory_of(unity_dev=strict)) == []


def test_other_unknown_variables_are_allowed() -> None:
    words = dict.fromkeys(ORDINARY_WORDS, 1)
    inventory = inventory_of(unity_dev={"ansible_user": "ops", "my_tags": 1, "regional": True, **words})
    assert build_venues(inventory)["unity-dev"] == venue_with()
    assert inventory_warnings(inventory) == []


@pytest.mark.parametrize("host", ["unity-", "unity", "unity-a b", "unity-$(id)", "unity--x"])
def test_a_host_whose_name_is_no_venue_name_is_an_error(host: str) -> None:
    inventory = inventory_of(**{host: USUAL})
    with pytest.raises(InventoryError, match="host name"):
        build_venues(inventory)


def test_every_problem_of_every_venue_is_told_at_once_and_a_shared_one_once() -> None:
    found = problems(unity_dev={"region": "x", "tags": 1}, unity_test={"region": "x"}, unity_prod={"region": "x"})
    assert [(problem.venue, problem.key) for problem in found] == [
        ("unity-dev and 2 more", "region"),
        ("unity-dev", "tags"),
    ]


def test_two_venues_of_one_role_are_an_error_even_where_only_case_differs() -> None:
    (found,) = problems(unity_dev={}, unity_DEV={"ecr_repository_prefixes": ["other/"], "stack": "other"})
    assert (
        found.message == "'unity-unity-DEV-sts' is also the role of unity-dev, in the same account (IAM ignores case)"
    )


def test_the_same_role_name_in_two_accounts_is_no_conflict() -> None:
    other = {"account_id": "444455556666", "stack": "other", "s3_buckets": ["data"]}
    assert len(build_venues(inventory_of(unity_dev={"s3_buckets": ["data"]}, unity_DEV=other))) == 2


def test_two_venues_of_one_account_do_not_share_a_bucket() -> None:
    (found,) = problems(unity_dev={"s3_buckets": ["data"]}, unity_test={"s3_buckets": ["more", "data"]})
    assert str(found) == (
        "hosts.yml: unity-test: s3_buckets: the bucket 'data' is also that of unity-dev, whose data a token would reach"
    )


@pytest.mark.parametrize("inner", ["team/", "team/inner/"])
def test_repository_prefixes_of_one_registry_are_neither_equal_nor_nested(inner: str) -> None:
    hosts: dict[str, dict[str, Any]] = {
        "unity_dev": {"ecr_repository_prefixes": ["team/"]},
        "unity_test": {"ecr_repository_prefixes": [inner]},
    }
    (found,) = problems(**hosts)
    assert f"{inner!r} lies within 'team/' of unity-dev" in found.message
    hosts["unity_test"]["region"] = "us-east-1"
    assert build_venues(inventory_of(**hosts))


def test_repository_prefixes_are_a_list() -> None:
    venue = venue_with(ecr_repository_prefixes=["unity-dev/", "tropess/"])
    assert venue.ecr_repository_prefixes == ("unity-dev/", "tropess/")
    assert venue.has_repository("tropess/py-tropess")
    assert not venue.has_repository("tropess/")
    assert not venue.has_repository("unity/x")


def test_every_prefix_of_a_venue_is_compared_with_every_prefix_of_another() -> None:
    def of(*prefixes: str, shared: bool = False) -> dict[str, Any]:
        return {"ecr_repository_prefixes": list(prefixes), "ecr_shared": shared}

    (found,) = problems(unity_dev=of("b/", "a/"), unity_test=of("c/", "a/x/y/"))
    assert str(found) == (
        "hosts.yml: unity-test: ecr_repository_prefixes: 'a/x/y/' lies within 'a/' of unity-dev, whose tokens would"
        " reach it; if that is intended, set ecr_shared: true for both venues"
    )
    assert build_venues(inventory_of(unity_dev=of("a/", "a/b/"), unity_test=of("c/")))


@pytest.mark.parametrize("other", ["a/", "a/b/"])
def test_prefixes_overlap_only_where_both_venues_share_them(other: str) -> None:
    def of(prefix: str, shared: bool) -> dict[str, Any]:
        return {"ecr_repository_prefixes": [prefix], "ecr_shared": shared}

    assert build_venues(inventory_of(unity_dev=of("a/", True), unity_test=of(other, True)))
    assert problems(unity_dev=of("a/", True), unity_test=of(other, False))
    assert problems(unity_dev=of("a/", False), unity_test=of(other, True))
    # A venue that does not share stays protected from venues that share among themselves.
    found = problems(unity_dev=of("a/", True), unity_test=of("a/b/", False), unity_ops=of("a/b/c/", True))
    assert [each.venue for each in found] == ["unity-test", "unity-ops"]


def test_a_prefix_that_only_begins_alike_is_not_nested() -> None:
    assert build_venues(inventory_of(unity_dev={}, unity_dev2={}))


@pytest.mark.parametrize(
    "unlike", [{"region": "us-east-1"}, {"aws_profile": "x"}, {"aws_endpoint_url": "http://x"}, {"emulator": True}]
)
def test_venues_of_one_stack_share_what_a_terraform_root_has_once(unlike: dict[str, Any]) -> None:
    (found,) = problems(unity_dev={"stack": "s"}, unity_test={"stack": "s", **unlike})
    assert found.key in unlike
    assert "venues of one stack share it, and in the stack 's' unity-dev has" in found.message


def test_stacks_do_not_differ_only_in_case() -> None:
    (found,) = problems(unity_dev={"stack": "s"}, unity_test={"stack": "S"})
    assert "differs only in case from the stack of unity-dev" in found.message


def warned(**variables: Any) -> list[str]:
    """The warnings about a venue unity-dev with these variables."""
    inventory = inventory_of(unity_dev=variables)
    return [str(each) for each in venue_warnings(inventory, build_venues(inventory).values())]


def test_mfa_for_role_sessions_is_warned_of_and_for_users_is_not() -> None:
    assert warned() == []
    assert "carry no MFA" in warned(require_mfa=True)[0]
    assert not warned(require_mfa=True, trusted_principals=["arn:aws:iam::111122223333:user/issuer"])


def test_users_only_without_users_is_warned_of() -> None:
    assert warned(users_only=True) == ["hosts.yml: unity-dev: users_only: nobody gets a token, as there are no 'users'"]


def test_the_local_inventory_is_three_venues_of_two_projects_in_two_accounts() -> None:
    venues = build_venues(load_inventory(ROOT / "inventory/local"))
    assert list(venues) == ["unity-dev", "unity-test", "sounder-dev"]
    assert {(venue.project, venue.account_id) for venue in venues.values()} == {
        ("unity", "111122223333"),
        ("sounder", "444455556666"),
    }
    assert all(venue.emulator and venue.s3_buckets for venue in venues.values())
    assert {name for venue in venues.values() for name in venue.users} == {"alice", "bob"}


def test_the_example_loads_without_a_warning_and_mentions_every_variable() -> None:
    folder = ROOT / "inventory/example"
    inventory = load_inventory(folder)
    venues = build_venues(inventory)
    assert venue_warnings(inventory, venues.values()) == []
    assert inventory_warnings(inventory) == []
    written = {name for host in inventory.hosts for name in inventory.settings(host)}
    assert written >= set(VARIABLES) - {"strict_variables"}
    assert {venue.partition for venue in venues.values()} == {"aws", "aws-us-gov"}


def test_a_ledger_is_in_the_work_directory_or_under_a_prefix_of_a_bucket() -> None:
    assert venue_with().ledger is None
    assert venue_with(ledger={"s3": {"bucket": "books"}}).ledger == LedgerBucket("books", "", "us-west-2")
    given = {"bucket": "books", "prefix": "kit", "region": "eu-west-1"}
    assert venue_with(ledger={"s3": given}).ledger == LedgerBucket("books", "kit/", "eu-west-1")
    encrypted = venue_with(ledger={"s3": {**given, "kms_key_id": KEY}}).ledger
    assert encrypted is not None
    assert encrypted.kms_key_id == KEY


@pytest.mark.parametrize(
    ("ledger", "said"),
    [
        ("s3", "expected {s3: {bucket: <name>, prefix: <path>}}, found"),
        ({"bucket": "books"}, "found the keys bucket"),
        ({"s3": {}}, "bucket is required"),
        ({"s3": {"bucket": "Books"}}, "bucket: 'Books' must be a bucket name"),
        ({"s3": {"bucket": "books", "prefx": "a"}}, "unknown key 'prefx'; did you mean 'prefix'?"),
        ({"s3": {"bucket": "books", "prefix": "../a"}}, "prefix: '../a' must be a path"),
        ({"s3": {"bucket": "books", "kms_key_id": "x"}}, "kms_key_id: 'x' must be the ID, alias or ARN of a KMS key"),
        ({"s3": {"bucket": "books", "region": "us-west-9"}}, "region: 'us-west-9' is not an AWS region"),
    ],
)
def test_a_ledger_that_cannot_be_is_told(ledger: object, said: str) -> None:
    found = problem(ledger=ledger)
    assert found.key == "ledger"
    assert said in found.message


@pytest.mark.parametrize(
    ("seed", "said"),
    [
        ("x", "expected a mapping such as {permissions_boundaries: [<name>]}, found a string"),
        ({"boundaries": []}, "unknown key 'boundaries'"),
        ({"permissions_boundaries": "x"}, "permissions_boundaries: expected a list, found a string"),
        ({"permissions_boundaries": ["a b"]}, "permissions_boundaries: 'a b' must be the name of a policy"),
        ({"permissions_boundaries": ["arn:aws:iam::aws:policy/x"]}, "is AWS's own policy"),
        ({"permissions_boundaries": ["arn:aws:iam::444455556666:policy/x"]}, "is a policy of account 444455556666"),
        ({"permissions_boundaries": ["x", "x"]}, "permissions_boundaries: duplicate x"),
    ],
)
def test_an_emulator_seed_that_cannot_be_is_told(seed: object, said: str) -> None:
    found = problem(emulator_seed=seed, emulator=True)
    assert found.key == "emulator_seed"
    assert said in found.message


def test_an_emulator_seed_is_for_venues_of_the_emulator() -> None:
    seed = {"permissions_boundaries": ["platform/boundary"]}
    assert venue_with(emulator_seed=seed, emulator=True).emulator_seed == EmulatorSeed(("platform/boundary",))
    assert "is only for venues with 'emulator: true'" in problem(emulator_seed=seed).message
    assert venue_with(emulator_seed={}).emulator_seed == EmulatorSeed()
