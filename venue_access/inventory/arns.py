"""Partitions, regions and ARNs: their names, and the validators of those in an inventory."""

from __future__ import annotations

import re
from typing import Any

from venue_access.inventory.validators import Context, InvalidValue, kms_key_id, text

_REGIONS = {
    "aws": (
        "amazonaws.com",
        "",
        "af-south-1 ap-east-1 ap-east-2 ap-northeast-1 ap-northeast-2 ap-northeast-3 ap-south-1 ap-south-2"
        " ap-southeast-1 ap-southeast-2 ap-southeast-3 ap-southeast-4 ap-southeast-5 ap-southeast-6 ap-southeast-7"
        " ca-central-1 ca-west-1 eu-central-1 eu-central-2 eu-north-1 eu-south-1 eu-south-2 eu-west-1 eu-west-2"
        " eu-west-3 il-central-1 me-central-1 me-south-1 mx-central-1 sa-east-1 us-east-1 us-east-2 us-west-1"
        " us-west-2",
    ),
    "aws-cn": ("amazonaws.com.cn", "cn-", "cn-north-1 cn-northwest-1"),
    "aws-eusc": ("amazonaws.eu", "eusc-", "eusc-de-east-1"),
    "aws-iso": ("c2s.ic.gov", "us-iso-", "us-iso-east-1 us-iso-west-1"),
    "aws-iso-b": ("sc2s.sgov.gov", "us-isob-", "us-isob-east-1 us-isob-west-1"),
    "aws-iso-e": ("cloud.adc-e.uk", "eu-isoe-", "eu-isoe-west-1"),
    "aws-iso-f": ("csp.hci.ic.gov", "us-isof-", "us-isof-east-1 us-isof-south-1"),
    "aws-us-gov": ("amazonaws.com", "us-gov-", "us-gov-east-1 us-gov-west-1"),
}
"""Each partition's domain, prefix of new regions, and regions: botocore's partitions.json, without ``*-global``."""

DNS_SUFFIXES = {partition: suffix for partition, (suffix, _, _) in _REGIONS.items()}
"""The domain of each partition's service endpoints."""

PARTITIONS = {region: partition for partition, (_, _, regions) in _REGIONS.items() for region in regions.split()}
"""The partition of each region."""

_REGION = re.compile(r"[a-z]{2,}(-[a-z]+)+-[0-9]+", re.ASCII)

FROM_PARAMETER = "ssm:"
"""Begins the name of a parameter that has the value."""
_ARN = re.compile(r"arn:([^:]*):([^:]*):([^:]*):([^:]*):(.+)", re.ASCII)
_ONE_COLON_SHORT = re.compile(r"arn:(aws[\w-]*):iam:([0-9]{12}|aws):([^:]+)", re.ASCII)
_IAM_PATH_AND_NAME = r"(?:[\w+=,.@-]+/)*[\w+=,.@-]{1,%d}"
_ROLE = re.compile("role/" + _IAM_PATH_AND_NAME % 64, re.ASCII)
_USER = re.compile("user/" + _IAM_PATH_AND_NAME % 64, re.ASCII)
_POLICY = re.compile("policy/" + _IAM_PATH_AND_NAME % 128, re.ASCII)
_POLICY_NAME = re.compile("/?" + _IAM_PATH_AND_NAME % 128, re.ASCII)
_PARAMETER = re.compile(r"(?:/[A-Za-z0-9_.-]{1,256}){1,15}", re.ASCII)
_KEY = re.compile(r"key/(?:[0-9a-f-]{36}|mrk-[0-9a-f]{32})", re.ASCII)


def partition_by_name(region: str) -> str | None:
    """Return the partition whose naming scheme a region follows, known or not; None if the name is malformed.

    botocore derives the endpoints of a region that it does not list from the name too (``regionRegex`` of its
    partitions.json), and takes a name of no other scheme for one of the partition ``aws``.
    """
    if region in PARTITIONS:
        return PARTITIONS[region]
    if not _REGION.fullmatch(region):
        return None
    return next((each for each, (_, prefix, _) in _REGIONS.items() if prefix and region.startswith(prefix)), "aws")


def partition(value: Any) -> str:
    """Check the name of a partition."""
    if text(value) not in DNS_SUFFIXES:
        from venue_access.inventory.suggestions import did_you_mean

        raise InvalidValue(
            f"{value!r} is not an AWS partition{did_you_mean(value, DNS_SUFFIXES)} (known: {', '.join(DNS_SUFFIXES)})"
        )
    return str(value)


def region(value: Any, context: Context) -> str:
    """Check a region's name; one that is not listed needs the variable ``partition``."""
    found, named = partition_by_name(text(value)), context.named_partition
    if value in PARTITIONS:
        if named not in (None, found):
            raise InvalidValue(f"{value!r} is a region of the partition {found!r}, and 'partition' is {named!r}")
    elif named is None or found is None:
        from venue_access.inventory.suggestions import did_you_mean

        remedy = "" if found is None else "; if it is a new region, set 'partition' too"
        raise InvalidValue(f"{value!r} is not an AWS region{did_you_mean(value, PARTITIONS)}{remedy}")
    elif named != found:
        raise InvalidValue(
            f"{value!r} is named like the regions of the partition {found!r}, and 'partition' is {named!r}"
        )
    return str(value)


def principal(value: Any, context: Context) -> str:
    """Check an ARN that may assume a venue's role: a role, a user, or a whole account (``:root``).

    The trust policy compares it with ``aws:PrincipalArn``, which for a session is the ARN of its role: the ARN of a
    session (``sts``, ``assumed-role``) would never match. Source: IAM User Guide, AWS JSON policy elements:
    Principal; global condition context keys, aws:PrincipalArn.
    """
    arn, partition = text(value), context.partition or "aws"
    if "*" in arn or "?" in arn or "$" in arn:
        raise InvalidValue(f"{arn!r} has a wildcard; name the roles, users or accounts that are trusted")
    if re.fullmatch(r"[0-9]{12}", arn):
        raise InvalidValue(f"{arn!r} must be an ARN; a whole account is arn:{partition}:iam::{arn}:root")
    service, account, resource = _parts(arn, context)
    if service == "sts" and resource.startswith("assumed-role/"):
        role = resource.split("/")[1]
        raise InvalidValue(
            f"{arn!r} is one session; write the role it is a session of,"
            f" arn:{partition}:iam::{account}:role/{role} (with its path, if it has one)"
        )
    trustable = resource == "root" or _ROLE.fullmatch(resource) or _USER.fullmatch(resource)
    if service != "iam" or not trustable:
        raise InvalidValue(f"{arn!r} must be the ARN of a role, of a user, or of an account (arn:...:root)")
    return arn


def operator_role(value: Any, context: Context) -> str:
    """Check the role through which the operator reaches the venue's account: a role of that account."""
    return _own(text(value), context, _ROLE, "role", "the ARN of a role, arn:aws:iam::<account>:role/<name>")


def permissions_boundary(value: Any, context: Context) -> str:
    """Check a managed policy by name or ARN, of the venue's account or AWS's own, or the parameter that has either."""
    boundary = text(value)
    if boundary.startswith(FROM_PARAMETER):
        if not _PARAMETER.fullmatch(boundary.removeprefix(FROM_PARAMETER)):
            raise InvalidValue(
                f"{boundary!r} must be ssm:/path/of/a/parameter, at most 15 levels of letters, digits, '_.-'"
            )
        return boundary
    if not boundary.startswith("arn:"):
        if not _POLICY_NAME.fullmatch(boundary):
            raise InvalidValue(f"{boundary!r} must be the name of a policy: at most 128 letters, digits and '_+=,.@-'")
        return boundary
    expected = "the name or ARN of a policy, arn:aws:iam::<account>:policy/<name>"
    return _own(boundary, context, _POLICY, "policy", expected)


def seed_boundary(value: Any, context: Context) -> str:
    """Check a permissions boundary that the emulator is to have: a policy of the venue's own account."""
    boundary = permissions_boundary(value, context)
    if ":iam::aws:" in boundary:
        raise InvalidValue(f"{boundary!r} is AWS's own policy, which cannot be created in the emulator")
    return boundary


def kms_key(value: Any, context: Context) -> str:
    """Check a key's ARN; an alias grants nothing in a policy.

    Source: AWS KMS Developer Guide, specifying KMS keys in IAM policy statements.
    """
    arn = text(value)
    service, _, resource = _parts(arn, context)
    where = arn.split(":")[3]
    if service == "kms" and resource.startswith("alias/"):
        raise InvalidValue(f"{arn!r} is an alias, which grants nothing in a policy; write the ARN of its key")
    if service != "kms" or not _KEY.fullmatch(resource) or not where:
        raise InvalidValue(f"{arn!r} must be the ARN of a KMS key, arn:aws:kms:<region>:<account>:key/<id>")
    region(where, context)
    return arn


def parameter_key(value: Any, context: Context) -> str:
    """Check the KMS key of an SSM parameter: its ID, alias or ARN, which must be in the parameter's region."""
    key = kms_key_id(value)
    if key.startswith("arn:"):
        _parts(key, context)
        where = key.split(":")[3]
        if context.region and where != context.region:
            raise InvalidValue(
                f"{key!r} is in {where}, and the venue in {context.region}; SSM takes a key of its own region"
            )
    return key


def _own(arn: str, context: Context, resources: re.Pattern[str], what: str, expected: str) -> str:
    """Check an IAM ARN of the venue's account; ``_parts`` takes AWS's own account for policies alone."""
    service, account, resource = _parts(arn, context)
    if service != "iam" or not resources.fullmatch(resource):
        raise InvalidValue(f"{arn!r} must be {expected}")
    if context.account_id and account not in (context.account_id, "aws"):
        raise InvalidValue(f"{arn!r} is a {what} of account {account}, and the venue is in {context.account_id}")
    return arn


def _parts(arn: str, context: Context) -> tuple[str, str, str]:
    """Return service, account and resource of an ARN of the venue's partition."""
    short = _ONE_COLON_SHORT.fullmatch(arn)
    if short:
        whole = f"arn:{short[1]}:iam::{short[2]}:{short[3]}"
        raise InvalidValue(f"{arn!r} has one colon too few after 'iam' (as on the platform's page); write {whole}")
    found = _ARN.fullmatch(arn)
    if not found:
        raise InvalidValue(f"{arn!r} is not an ARN, such as arn:aws:iam::111122223333:role/<name>")
    named, service, region, account, resource = found.groups()
    if context.partition and named != context.partition:
        raise InvalidValue(f"{arn!r} is of the partition {named!r}, and the venue's region is of {context.partition!r}")
    if not re.fullmatch("[0-9]{12}", account) and not (account == "aws" and resource.startswith("policy/")):
        raise InvalidValue(f"{arn!r} must name an account of 12 digits")
    if service == "iam" and region:
        raise InvalidValue(f"{arn!r} names a region, and IAM has none; write arn:{named}:iam::{account}:{resource}")
    return service, account, resource
