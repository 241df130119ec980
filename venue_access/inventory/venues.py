"""Typed venues from the variables of an inventory, every problem collected."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, TypeVar

from venue_access.errors import InventoryError, Problem
from venue_access.inventory import arn_validators as arns
from venue_access.inventory import validators as checks
from venue_access.inventory.bucket_uses import register_uses
from venue_access.inventory.cross_validation import conflicts
from venue_access.inventory.groups import Inventory
from venue_access.inventory.model import BucketUses, EmulatorSeed, Recipient, StateBackend, Venue, emulator_operator_arn
from venue_access.inventory.recipients import read_users
from venue_access.inventory.regions import partition_by_name
from venue_access.inventory.state import read_emulator_seed, read_ledger, read_state
from venue_access.inventory.suggestions import misspelt
from venue_access.inventory.values import SourcedValue

T = TypeVar("T")
Default = TypeVar("Default")

KNOWN = (
    "project", "venue", "account_id", "region", "partition", "role_prefix",
    "s3_buckets", "s3_allow_delete", "kms_key_arns", "ecr_repository_prefixes", "ecr_shared",
    "external_id_kms_key",
    "trusted_principals", "require_mfa", "principal_org_id", "source_cidrs", "source_identity", "session_tags",
    "trust_policy_limit", "permissions_boundary", "role_path", "max_session_duration", "tags",
    "aws_profile", "operator_role_arn", "aws_endpoint_url", "emulator", "emulator_seed",
    "state", "ledger", "stack", "users", "users_only", "contact",
)  # fmt: skip
"""The variables of a venue; others are allowed, as Ansible inventories carry them, unless they look like a slip."""
RENAMED = {"ecr_repository_prefix": "ecr_repository_prefixes, a list"}
_ENOUGH = 100
"""Problems, each of which may be many venues': the venues that follow are not looked at."""


def build_venues(inventory: Inventory) -> dict[str, Venue]:
    """The venues of all hosts by inventory name, in the inventory's order.

    A variable that is null is one that is not given.

    :raises InventoryError: something is wrong; every problem of every venue is in it.
    """
    venues: dict[str, Venue] = {}
    problems: list[Problem] = []
    distinct: set[tuple[str, ...]] = set()
    uses = BucketUses()
    for host in inventory.hosts:
        reader = _Reader(host, inventory, uses)
        venue = reader.venue()
        problems.extend(reader.problems)
        distinct.update(map(_what, reader.problems))
        if len(distinct) > _ENOUGH:
            break
        if venue is not None:
            venues[host] = venue
            register_uses(venue)
    problems.extend(conflicts(venues.values(), inventory.origin))
    if problems:
        raise InventoryError(_gathered(problems))
    return venues


def warnings(venue: Venue) -> list[str]:
    """What is allowed and yet probably not meant."""
    found = []
    if venue.require_mfa and any(":user/" not in arn for arn in venue.trusted_principals):
        found.append(
            f"{venue.name}: require_mfa shuts out role sessions, such as those of a portal's keys: they carry no MFA"
        )
    if venue.users_only and not venue.users:
        found.append(f"{venue.name}: users_only without users: nobody gets a token")
    return found


def _gathered(problems: list[Problem]) -> list[Problem]:
    """The same problem of many venues, such as one in group_vars, once."""
    venues: dict[tuple[str, ...], list[Problem]] = {}
    for problem in problems:
        venues.setdefault(_what(problem), []).append(problem)
    return [
        first if not others else Problem(first.message, first.file, f"{first.venue} and {len(others)} more", first.key)
        for first, *others in venues.values()
    ]


def _what(problem: Problem) -> tuple[str, ...]:
    return (str(problem.file), str(problem.key), problem.message)


class _Reader:
    """Reads one host's variables; a value that does not fit becomes a problem, and stands as its default."""

    def __init__(self, host: str, inventory: Inventory, uses: BucketUses) -> None:
        self.problems: list[Problem] = []
        self._host = host
        self._inventory = inventory
        self._uses = uses
        self._settings: Mapping[str, SourcedValue] = inventory.settings(host)

    def venue(self) -> Venue | None:
        """The venue; None where there is a problem."""
        self._refuse_slips()
        account_id, named = (
            self._required("account_id", checks.account_id),
            self._read("partition", checks.partition, None),
        )
        region = self._required("region", checks.region(named))
        role_prefix = self._read("role_prefix", checks.role_prefix, "unity")
        project = self._required("project", checks.segment)
        venue = self._venue_name(project)
        partition = partition_by_name(region) if region else None
        emulator = self._read("emulator", checks.boolean, False)
        principals = self._principals(emulator, account_id, partition)
        ecr_prefixes = self._ecr_prefixes(project, venue)
        users: dict[str, Recipient] = self._read("users", read_users(self._inventory.entries), {})
        optional: dict[str, Any] = {
            "s3_buckets": self._read("s3_buckets", _buckets, None),
            "s3_allow_delete": self._read("s3_allow_delete", checks.boolean, False),
            "kms_key_arns": self._read("kms_key_arns", checks.several(arns.kms_key(partition, named)), ()),
            "ecr_shared": self._read("ecr_shared", checks.boolean, False),
            "external_id_kms_key": self._read("external_id_kms_key", arns.parameter_key(region, partition), None),
            "require_mfa": self._read("require_mfa", checks.boolean, False),
            "principal_org_id": self._read("principal_org_id", checks.org_id, None),
            "source_cidrs": self._read("source_cidrs", checks.several(checks.cidr), ()),
            "source_identity": self._read("source_identity", checks.boolean, False),
            "session_tags": self._read("session_tags", checks.tags, MappingProxyType({})),
            "trust_policy_limit": self._read("trust_policy_limit", checks.trust_policy_limit, 2048),
            "permissions_boundary": self._read(
                "permissions_boundary", arns.permissions_boundary(partition, account_id), None
            ),
            "role_path": self._read("role_path", checks.role_path, "/"),
            "max_session_duration": self._read("max_session_duration", checks.session_seconds, 3600),
            "tags": self._read("tags", checks.resource_tags, MappingProxyType({})),
            "aws_profile": self._read("aws_profile", checks.profile_name, None),
            "operator_role_arn": self._read("operator_role_arn", arns.operator_role(partition, account_id), None),
            "aws_endpoint_url": self._read("aws_endpoint_url", checks.endpoint_url, None),
            "state": self._read("state", read_state(region, named), StateBackend()),
            "ledger": self._read("ledger", read_ledger(region, named), None),
            "emulator_seed": self._emulator_seed(emulator, partition, account_id),
            "stack": self._read("stack", checks.folder_name, self._host),
            "users_only": self._read("users_only", checks.boolean, False),
            "contact": self._read("contact", checks.email, None),
        }
        if self.problems or not (account_id and region and partition and project and venue):
            return None
        built = Venue(
            name=self._host,
            project=project,
            venue=venue,
            account_id=account_id,
            region=region,
            partition=partition,
            trusted_principals=principals,
            role_prefix=role_prefix,
            ecr_repository_prefixes=ecr_prefixes,
            emulator=emulator,
            users=MappingProxyType(users),
            bucket_uses=self._uses,
            **optional,
        )
        if len(built.role_name) > 64:
            self._problem(f"the role name {built.role_name!r} has {len(built.role_name)} characters, and IAM takes 64")
        return built

    def _problem(self, message: str, key: str = "") -> None:
        file = self._settings[key].file if key in self._settings else self._inventory.path
        self.problems.append(Problem(message, file, self._host, key))

    def _read(self, key: str, check: Callable[[Any], T], default: Default) -> T | Default:
        setting = self._settings.get(key)
        if setting is None or setting.value is None:
            return default
        try:
            checks.evaluated(setting.value)
            return check(setting.value)
        except checks.InvalidValue as unfit:
            self._problem(str(unfit), key)
            return default

    def _required(self, key: str, check: Callable[[Any], str]) -> str | None:
        if key not in self._settings or self._settings[key].value is None:
            self._problem("is required", key)
        return self._read(key, check, None)

    def _refuse_slips(self) -> None:
        for name in self._settings:
            if name in RENAMED:
                self._problem(f"is now {RENAMED[name]}", name)
                continue
            known = misspelt(name, KNOWN)
            if known:
                self._problem(f"is no variable of a venue; did you mean {known!r}? Otherwise rename it", name)

    def _venue_name(self, project: str | None) -> str | None:
        given = self._read("venue", checks.segment, None)
        if project is None:
            return given
        prefix = f"{project}-"
        if given is not None and self._host != prefix + given:
            self._problem(f"{given!r} disagrees with the host name, which would have to be {prefix + given!r}", "venue")
        elif not self._host.startswith(prefix) or self._host == prefix:
            self._problem(f"the host name must be '{prefix}<venue>', as the project is {project!r}")
        else:
            try:
                return checks.segment(self._host[len(prefix) :])
            except checks.InvalidValue as unfit:
                self._problem(f"the venue in the host name: {unfit}")
        return None

    def _principals(self, emulator: bool, account_id: str | None, partition: str | None) -> tuple[str, ...]:
        principals = self._read("trusted_principals", checks.several(arns.principal(partition)), None)
        if principals:
            return _with_sessions(principals) if emulator else principals
        given = self._settings.get("trusted_principals")
        if principals is not None:
            self._problem("is empty, so nobody could assume the role; name at least one ARN", "trusted_principals")
        elif emulator and account_id and partition:
            return _with_sessions([emulator_operator_arn(account_id, partition)])
        elif not emulator and (given is None or given.value is None):
            self._problem("is required: the ARNs that may assume the role", "trusted_principals")
        return ()

    def _emulator_seed(self, emulator: bool, partition: str | None, account_id: str | None) -> EmulatorSeed | None:
        seed = self._read("emulator_seed", read_emulator_seed(partition, account_id), None)
        if seed is not None and seed.permissions_boundaries and not emulator:
            self._problem("is only for venues with 'emulator: true'; nothing is made on AWS itself", "emulator_seed")
        return seed

    def _ecr_prefixes(self, project: str | None, venue: str | None) -> tuple[str, ...]:
        key, default = "ecr_repository_prefixes", f"{project}-{venue}/".lower()
        prefixes = self._read(key, _ecr_prefixes, None)
        given = self._settings.get(key)
        if prefixes is None and project and venue and (given is None or given.value is None):
            try:
                return (checks.ecr_prefix(default),)
            except checks.InvalidValue as unfit:
                self._problem(f"is required, as the default does not do: {unfit}", key)
        return prefixes or (default,)


def _with_sessions(principals: Iterable[str]) -> tuple[str, ...]:
    """Return principals of the AWS emulator, and for each role the pattern of its sessions.

    For a session of a role, AWS sets ``aws:PrincipalArn`` to the ARN of the role (IAM User Guide, "AWS global condition
    context keys"). The emulator sets it to the ARN of the session, in which the role has no path.
    """
    found: list[str] = []
    for arn in principals:
        found.append(arn)
        _, partition, _, _, account, resource = arn.split(":", 5)
        if resource.startswith("role/"):
            found.append(f"arn:{partition}:sts::{account}:assumed-role/{resource.rpartition('/')[2]}/*")
    return tuple(found)


def _ecr_prefixes(value: Any) -> tuple[str, ...]:
    prefixes = checks.several(checks.ecr_prefix)(value)
    if not prefixes:
        raise checks.InvalidValue("is empty; name a prefix, or leave it out for the default")
    return prefixes


def _buckets(value: Any) -> tuple[str, ...]:
    buckets = checks.several(checks.bucket)(value)
    if not buckets:
        raise checks.InvalidValue(
            "is empty; name a bucket, or leave it out for the one the platform's SSM parameter holds"
        )
    return buckets
