"""Validators of ARNs, each against the partition, region and account of its venue."""

from __future__ import annotations

import re
from typing import Any

from venue_access.inventory.validators import Context, InvalidValue, kms_key_id, region, text

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
    service, account, resource = _parts(text(value), context)
    if service != "iam" or not _ROLE.fullmatch(resource):
        raise InvalidValue(f"{value!r} must be the ARN of a role, arn:aws:iam::<account>:role/<name>")
    if context.account_id and account != context.account_id:
        raise InvalidValue(f"{value!r} is a role of account {account}, and the venue is in {context.account_id}")
    return str(value)


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
    service, account, resource = _parts(boundary, context)
    if service != "iam" or not _POLICY.fullmatch(resource):
        raise InvalidValue(f"{boundary!r} must be the name or ARN of a policy, arn:aws:iam::<account>:policy/<name>")
    if context.account_id and account not in (context.account_id, "aws"):
        raise InvalidValue(f"{boundary!r} is a policy of account {account}, and the venue is in {context.account_id}")
    return boundary


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
