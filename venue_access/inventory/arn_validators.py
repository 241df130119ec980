"""Checks of ARNs, bound to the partition and account of a venue."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from venue_access.inventory import validators as checks
from venue_access.inventory.model import FROM_PARAMETER
from venue_access.inventory.validators import InvalidValue, kms_key_id, text

_ARN = re.compile(r"arn:([^:]*):([^:]*):([^:]*):([^:]*):(.+)", re.ASCII)
_ONE_COLON_SHORT = re.compile(r"arn:(aws[\w-]*):iam:([0-9]{12}|aws):([^:]+)", re.ASCII)
_IAM_PATH_AND_NAME = r"(?:[\w+=,.@-]+/)*[\w+=,.@-]{1,%d}"
_ROLE = re.compile("role/" + _IAM_PATH_AND_NAME % 64, re.ASCII)
_USER = re.compile("user/" + _IAM_PATH_AND_NAME % 64, re.ASCII)
_POLICY = re.compile("policy/" + _IAM_PATH_AND_NAME % 128, re.ASCII)
_POLICY_NAME = re.compile("/?" + _IAM_PATH_AND_NAME % 128, re.ASCII)
_PARAMETER = re.compile(r"(?:/[A-Za-z0-9_.-]{1,256}){1,15}", re.ASCII)
_KEY = re.compile(r"key/(?:[0-9a-f-]{36}|mrk-[0-9a-f]{32})", re.ASCII)


def principal(partition: str | None) -> Callable[[Any], str]:
    """A check of an ARN that may assume a venue's role: a role, a user, or a whole account (``:root``).

    The trust policy compares it with ``aws:PrincipalArn``, which for a session is the ARN of its role: the ARN of a
    session (``sts``, ``assumed-role``) would match nobody. Source: IAM User Guide, AWS JSON policy elements:
    Principal; global condition context keys, aws:PrincipalArn.
    """

    def checked(value: Any) -> str:
        arn = text(value)
        if "*" in arn or "?" in arn or "$" in arn:
            raise InvalidValue(f"{arn!r} has a wildcard; name the roles, users or accounts that are trusted")
        if re.fullmatch(r"[0-9]{12}", arn):
            raise InvalidValue(f"{arn!r} must be an ARN; a whole account is arn:{partition or 'aws'}:iam::{arn}:root")
        service, account, resource = _parts(arn, partition)
        if service == "sts" and resource.startswith("assumed-role/"):
            role = resource.split("/")[1]
            raise InvalidValue(
                f"{arn!r} is one session; write the role it is a session of,"
                f" arn:{partition or 'aws'}:iam::{account}:role/{role} (with its path, where it has one)"
            )
        trustable = resource == "root" or _ROLE.fullmatch(resource) or _USER.fullmatch(resource)
        if service != "iam" or not trustable:
            raise InvalidValue(f"{arn!r} must be the ARN of a role, of a user, or of an account (arn:...:root)")
        return arn

    return checked


def operator_role(partition: str | None, account_id: str | None) -> Callable[[Any], str]:
    """A check of the role through which the operator reaches the venue's account: a role of that account."""

    def checked(value: Any) -> str:
        service, account, resource = _parts(text(value), partition)
        if service != "iam" or not _ROLE.fullmatch(resource):
            raise InvalidValue(f"{value!r} must be the ARN of a role, arn:aws:iam::<account>:role/<name>")
        if account_id and account != account_id:
            raise InvalidValue(f"{value!r} is a role of account {account}, and the venue is in {account_id}")
        return str(value)

    return checked


def permissions_boundary(partition: str | None, account_id: str | None) -> Callable[[Any], str]:
    """A check of a managed policy by name or ARN, the venue account's own or AWS's, or of a parameter that has it."""

    def checked(value: Any) -> str:
        boundary = text(value)
        if boundary.startswith(FROM_PARAMETER):
            if not _PARAMETER.fullmatch(boundary.removeprefix(FROM_PARAMETER)):
                raise InvalidValue(
                    f"{boundary!r} must be ssm:/path/of/a/parameter, at most 15 levels of letters, digits, '_.-'"
                )
            return boundary
        if not boundary.startswith("arn:"):
            if not _POLICY_NAME.fullmatch(boundary):
                raise InvalidValue(
                    f"{boundary!r} must be the name of a policy: at most 128 letters, digits and '_+=,.@-'"
                )
            return boundary
        service, account, resource = _parts(boundary, partition)
        if service != "iam" or not _POLICY.fullmatch(resource):
            raise InvalidValue(
                f"{boundary!r} must be the name or ARN of a policy, arn:aws:iam::<account>:policy/<name>"
            )
        if account_id and account not in (account_id, "aws"):
            raise InvalidValue(f"{boundary!r} is a policy of account {account}, and the venue is in {account_id}")
        return boundary

    return checked


def kms_key(partition: str | None, named: str | None = None) -> Callable[[Any], str]:
    """A check of a key's ARN; an alias grants nothing in a policy.

    Source: AWS KMS Developer Guide, specifying KMS keys in IAM policy statements.

    :param named: the partition that the inventory names: see ``checks.region``.
    """
    in_region = checks.region(named)

    def checked(value: Any) -> str:
        arn = text(value)
        parsed = _ARN.fullmatch(arn)
        service, _, resource = _parts(arn, partition)
        if service == "kms" and resource.startswith("alias/"):
            raise InvalidValue(f"{arn!r} is an alias, which grants nothing in a policy; write the ARN of its key")
        if service != "kms" or not _KEY.fullmatch(resource) or not parsed or not parsed[3]:
            raise InvalidValue(f"{arn!r} must be the ARN of a KMS key, arn:aws:kms:<region>:<account>:key/<id>")
        in_region(parsed[3])
        return arn

    return checked


def parameter_key(region: str | None, partition: str | None) -> Callable[[Any], str]:
    """A check of the KMS key of an SSM parameter: its ID, alias or ARN, which must be in the parameter's region."""

    def checked(value: Any) -> str:
        key = kms_key_id(value)
        if key.startswith("arn:"):
            _parts(key, partition)
            if region and key.split(":")[3] != region:
                raise InvalidValue(
                    f"{key!r} is in {key.split(':')[3]}, and the venue in {region}; SSM takes a key of its own region"
                )
        return key

    return checked


def _parts(arn: str, partition: str | None) -> tuple[str, str, str]:
    """Service, account and resource of an ARN of the venue's partition (None: not known)."""
    short = _ONE_COLON_SHORT.fullmatch(arn)
    if short:
        whole = f"arn:{short[1]}:iam::{short[2]}:{short[3]}"
        raise InvalidValue(
            f"{arn!r} has one colon too few after 'iam' (the platform's page prints it so); write {whole}"
        )
    found = _ARN.fullmatch(arn)
    if not found:
        raise InvalidValue(f"{arn!r} is no ARN, such as arn:aws:iam::111122223333:role/<name>")
    named, service, region, account, resource = found.groups()
    if partition and named != partition:
        raise InvalidValue(f"{arn!r} is of the partition {named!r}, and the venue's region is of {partition!r}")
    if not re.fullmatch("[0-9]{12}", account) and not (account == "aws" and resource.startswith("policy/")):
        raise InvalidValue(f"{arn!r} must name an account of 12 digits")
    if service == "iam" and region:
        raise InvalidValue(f"{arn!r} names a region, and IAM has none; write arn:{named}:iam::{account}:{resource}")
    return service, account, resource
