"""Build venues from the variables of an inventory, and collect every problem and warning."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from venue_access.errors import InventoryError, Problem
from venue_access.inventory.arns import partition_by_name
from venue_access.inventory.cross_validation import conflicts
from venue_access.inventory.groups import Inventory, SourcedValue, UnsafeText, Vaulted
from venue_access.inventory.model import BucketUses, Venue, emulator_operator_arn
from venue_access.inventory.schema import FIELDS, VARIABLES, default_of
from venue_access.inventory.validators import Context, InvalidValue, ecr_prefix, has_private_key, segment

_WORDS = "contacts contract ledgers partitions projects regions slack stacks stage stages states tag user uses venues"
ORDINARY_WORDS = frozenset(_WORDS.split())
"""Words that Ansible inventories use for matters of their own, although they resemble our variables."""
_DEFAULTS = {name: default_of(name) for name in VARIABLES}
_MAX_PROBLEMS = 1000
"""Different ones: the venues that follow are not read."""


def build_venues(inventory: Inventory) -> dict[str, Venue]:
    """Return the venues of all hosts by inventory name, in the inventory's order.

    A variable that is null counts as not given.

    :raises InventoryError: with every problem of every venue.
    """
    venues: dict[str, Venue] = {}
    problems: list[Problem] = []
    distinct: set[tuple[object, ...]] = set()
    uses = BucketUses()
    for host in inventory.hosts:
        reader = _VenueReader(host, inventory)
        venue = reader.venue(uses)
        problems += reader.problems
        distinct.update(map(_identity, reader.problems))
        if len(distinct) > _MAX_PROBLEMS:
            break
        if venue is not None:
            venues[host] = venue
    problems += conflicts(inventory, list(venues.values()))
    if problems:
        raise InventoryError(_merged(problems))
    return venues


def inventory_warnings(inventory: Inventory) -> list[Problem]:
    """Return what is probably a mistake in the files and variables of an inventory."""
    found = list(inventory.warnings)
    for host in inventory.hosts:
        settings = inventory.settings(host)
        if not _is_strict(settings):
            found += _misspelt_variables(host, settings)
        rival = inventory.rival_of(host, "project")
        if rival is not None:
            setting, other = rival
            message = (
                f"{setting.value!r} overrides {other.value!r} ({other.file}:{other.line}), of another of its groups"
            )
            found.append(Problem(message, setting.file, host, "project", setting.line))
    return _merged(found)


def venue_warnings(inventory: Inventory, venues: Iterable[Venue]) -> list[Problem]:
    """Return what is allowed in venues and yet probably a mistake."""
    found: list[Problem] = []
    for venue in venues:
        if venue.require_mfa and any(":user/" not in arn for arn in venue.trusted_principals):
            message = "role sessions, such as those of a portal's keys, carry no MFA and cannot assume the role"
            found.append(inventory.problem(venue.name, message, "require_mfa"))
        if venue.users_only and not venue.users:
            found.append(inventory.problem(venue.name, "nobody gets a token, as there are no 'users'", "users_only"))
        for key, arns in (("kms_key_arns", venue.kms_key_arns), ("external_id_kms_key", [venue.external_id_kms_key])):
            for arn in arns:
                if arn and arn.startswith("arn:") and arn.split(":")[4] != venue.account_id:
                    message = (
                        f"{arn!r} is a key of another account than the venue's, {venue.account_id}; its key policy must"
                        " allow the role"
                    )
                    found.append(inventory.problem(venue.name, message, key))
    return _merged(found)


def _misspelt_variables(host: str, settings: dict[str, SourcedValue]) -> Iterable[Problem]:
    for name, setting in settings.items():
        if name in FIELDS or name in ORDINARY_WORDS or name.startswith("ansible_"):
            continue
        from venue_access.inventory.suggestions import misspelt

        meant = misspelt(name, VARIABLES)
        if meant:
            message = f"unknown variable {name!r} (did you mean {meant!r}?)"
            yield Problem(message, setting.file, host, line=setting.line)


def _is_strict(settings: dict[str, SourcedValue]) -> bool:
    return "strict_variables" in settings and settings["strict_variables"].value is True


def _identity(problem: Problem) -> tuple[object, ...]:
    is_missing = problem.message.startswith("is required")  # then the line is the host's
    return (problem.file, problem.key, problem.message, None if is_missing else problem.line)


def _merged(problems: Iterable[Problem]) -> list[Problem]:
    """Return problems with the same one of several venues, such as one in ``group_vars/``, only once."""
    venues: dict[tuple[object, ...], list[Problem]] = {}
    for problem in problems:
        venues.setdefault(_identity(problem), []).append(problem)
    return [
        replace(first, venue=f"{first.venue} and {len(others)} more") if others else first
        for first, *others in venues.values()
    ]


class _VenueReader:
    """Read one host's variables. A wrong value becomes a problem, and counts as its default for the others."""

    def __init__(self, host: str, inventory: Inventory) -> None:
        self.problems: list[Problem] = []
        self._host = host
        self._inventory = inventory
        self._settings = inventory.settings(host)
        self._context = Context(hosts=inventory.entries)

    def venue(self, uses: BucketUses) -> Venue | None:
        """Return the venue, or None after a problem."""
        if _is_strict(self._settings):
            self.problems += _misspelt_variables(self._host, self._settings)
        named = self._value("partition")
        self._context = replace(self._context, named_partition=named)
        account_id, region = self._required("account_id"), self._required("region")
        partition = partition_by_name(region) if region else None
        self._context = replace(self._context, partition=partition, region=region, account_id=account_id)
        project = self._required("project")
        read_already = ("account_id", "partition", "project", "region", "venue")
        venue = self._venue_name(project)
        values = {name: self._value(name) for name in VARIABLES if name not in read_already}
        values["stack"] = values["stack"] or self._host
        principals, emulator = values["trusted_principals"] or (), values["emulator"]
        if not emulator and not self._is_given("trusted_principals"):
            self._problem("is required: the ARNs that may assume the role", "trusted_principals")
        elif emulator and not self._is_given("trusted_principals") and account_id and partition:
            principals = (emulator_operator_arn(account_id, partition),)
        values["trusted_principals"] = _with_sessions(principals) if emulator else principals
        if project and venue and not self._is_given("ecr_repository_prefixes"):
            try:
                values["ecr_repository_prefixes"] = (ecr_prefix(f"{project}-{venue}/".lower()),)
            except InvalidValue as error:
                self._problem(f"is required, as the default is not valid: {error}", "ecr_repository_prefixes")
        if values["emulator_seed"] and values["emulator_seed"].permissions_boundaries and not emulator:
            self._problem("is only for venues with 'emulator: true'; nothing is created on AWS itself", "emulator_seed")
        if self.problems or not (account_id and region and partition and project and venue):
            return None
        built = Venue(
            name=self._host,
            project=project,
            venue=venue,
            account_id=account_id,
            region=region,
            partition=partition,
            bucket_uses=uses,
            **values,
        )
        if len(built.role_name) > 64:
            self._problem(f"the role name {built.role_name!r} has {len(built.role_name)} characters; IAM allows 64")
        return built

    def _problem(self, message: str, key: str | None = None, line: int | None = None) -> None:
        problem = self._inventory.problem(self._host, message, key)
        self.problems.append(Problem(message, problem.file, self._host, key, line or problem.line))

    def _is_given(self, key: str) -> bool:
        return key in self._settings and self._settings[key].value is not None

    def _value(self, key: str) -> Any:
        """Return a variable's typed value, or its default if it is not given or, after a problem, not valid."""
        if not self._is_given(key):
            return _DEFAULTS[key]
        value = self._settings[key].value
        try:
            _check_plain(value)
            return FIELDS[key].metadata["type"].read(value, self._context)
        except InvalidValue as error:
            for reason in error.all:
                self._problem(str(reason), key, reason.line)
            return _DEFAULTS[key]

    def _required(self, key: str) -> Any:
        if not self._is_given(key):
            self._problem("is required", key)
        return self._value(key)

    def _venue_name(self, project: str | None) -> str | None:
        given = self._value("venue")
        if project is None:
            return str(given) if given else None
        prefix = f"{project}-"
        if given is not None and self._host != prefix + given:
            self._problem(f"{given!r} disagrees with the host name, which would have to be {prefix + given!r}", "venue")
        elif not self._host.startswith(prefix) or self._host == prefix:
            self._problem(f"the host name must be '{prefix}<venue>', as the project is {project!r}")
        else:
            try:
                return segment(self._host[len(prefix) :])
            except InvalidValue as error:
                self._problem(f"the venue in the host name: {error}")
        return None


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


def _check_plain(value: Any) -> None:
    """Refuse what only Ansible evaluates, Jinja and vaulted values, and a private key, which no message may repeat."""
    if isinstance(value, dict):
        for key, part in value.items():
            _check_plain(key)
            _check_plain(part)
    elif isinstance(value, (list, tuple, set)):
        for part in value:
            _check_plain(part)
    elif isinstance(value, Vaulted):
        raise InvalidValue("is vaulted (!vault), and vaulted values are not decrypted here; write it in the clear")
    elif isinstance(value, str):
        if not isinstance(value, UnsafeText) and any(mark in value for mark in ("{{", "{%", "{#")):
            raise InvalidValue(
                "has a Jinja expression, and those are not evaluated here; write the value out,"
                " or tag it !unsafe if the braces are meant literally"
            )
        if has_private_key(value):
            raise InvalidValue("has a private key; write the public one, and replace that key pair")
