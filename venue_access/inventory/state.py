"""Read the variables of a venue that are mappings: ``state``, ``ledger`` and ``emulator_seed``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from venue_access.inventory import arn_validators as arns
from venue_access.inventory import validators as checks
from venue_access.inventory.group_builder import kind
from venue_access.inventory.model import EmulatorSeed, LedgerBucket, StateBackend
from venue_access.inventory.suggestions import did_you_mean

KEYS = ("backend", "bucket", "key_prefix", "region", "kms_key_id")
LEDGER_KEYS = ("bucket", "prefix", "region", "kms_key_id")
SEED_KEYS = ("permissions_boundaries",)

_key_prefix = checks.matching(r"(?!.*(^|/)\.{0,2}/)[\w!.*'()/-]{1,512}", "a path such as terraform/venues/")


def read_state(region: str | None, named: str | None = None) -> Callable[[Any], StateBackend]:
    """A check of ``{backend: local}`` or ``{backend: s3, bucket: ...}``.

    ``region`` is the venue's, and the state bucket's where none is given; a key prefix always ends in ``/``. ``named``
    is the partition that the inventory names, if any.
    """

    def checked(value: Any) -> StateBackend:
        if not isinstance(value, dict):
            raise checks.InvalidValue(
                f"expected a mapping such as {{backend: s3, bucket: <name>}}, found {kind(value)}"
            )
        _refuse_others(value, KEYS)
        given = {key: part for key, part in value.items() if part is not None}
        backend = given.pop("backend", None)
        if backend == "local":
            if given:
                raise checks.InvalidValue(f"a local state has no {', '.join(given)}")
            return StateBackend()
        if backend != "s3":
            raise checks.InvalidValue(f"backend must be local or s3, found {backend!r}")
        if "bucket" not in given:
            raise checks.InvalidValue("bucket is required for the s3 backend")
        prefix = _part("key_prefix", _key_prefix, given.get("key_prefix"))
        return StateBackend(
            backend="s3",
            bucket=_part("bucket", checks.bucket, given["bucket"]),
            key_prefix=f"{prefix.rstrip('/')}/" if prefix else "",
            region=_part("region", checks.region(named), given.get("region")) or region,
            kms_key_id=_part("kms_key_id", checks.kms_key_id, given.get("kms_key_id")),
        )

    return checked


def read_emulator_seed(partition: str | None, account_id: str | None) -> Callable[[Any], EmulatorSeed]:
    """A check of ``{permissions_boundaries: [...]}``: policies of the venue's own account."""
    boundary = arns.permissions_boundary(partition, account_id)

    def own(value: Any) -> str:
        name = boundary(value)
        if ":iam::aws:" in name:
            raise checks.InvalidValue(f"{name!r} is AWS's own policy, which the emulator cannot be given")
        return name

    def checked(value: Any) -> EmulatorSeed:
        if not isinstance(value, dict):
            raise checks.InvalidValue(
                f"expected a mapping such as {{permissions_boundaries: [<name>]}}, found {kind(value)}"
            )
        _refuse_others(value, SEED_KEYS)
        names = value.get("permissions_boundaries")
        try:
            return EmulatorSeed(() if names is None else checks.several(own)(names))
        except checks.InvalidValue as unfit:
            raise checks.InvalidValue(f"permissions_boundaries: {unfit}") from unfit

    return checked


def read_ledger(region: str | None, named: str | None = None) -> Callable[[Any], LedgerBucket]:
    """A check of ``{s3: {bucket: ..., prefix: ..., region: ..., kms_key_id: ...}}``.

    ``region`` is the venue's, and the bucket's where none is given; a prefix always ends in ``/``. ``named`` is the
    partition that the inventory names, if any.
    """

    def checked(value: Any) -> LedgerBucket:
        if not isinstance(value, dict) or list(value) != ["s3"] or not isinstance(value["s3"], dict):
            found = f"the keys {', '.join(map(str, value))}" if isinstance(value, dict) else kind(value)
            raise checks.InvalidValue(f"expected {{s3: {{bucket: <name>, prefix: <path>}}}}, found {found}")
        _refuse_others(value["s3"], LEDGER_KEYS)
        given = {key: part for key, part in value["s3"].items() if part is not None}
        bucket = _part("bucket", checks.bucket, given.get("bucket"))
        if bucket is None:
            raise checks.InvalidValue("bucket is required")
        prefix = _part("prefix", _key_prefix, given.get("prefix"))
        where = _part("region", checks.region(named), given.get("region")) or region or ""
        key = _part("kms_key_id", checks.kms_key_id, given.get("kms_key_id"))
        return LedgerBucket(bucket, f"{prefix.rstrip('/')}/" if prefix else "", where, key)

    return checked


def _refuse_others(given: dict[Any, Any], keys: tuple[str, ...]) -> None:
    for key in given:
        if key not in keys:
            raise checks.InvalidValue(f"has no key {key!r}{did_you_mean(str(key), keys)} (it has {', '.join(keys)})")


def _part(key: str, check: Callable[[Any], str], value: Any) -> str | None:
    try:
        return None if value is None else check(value)
    except checks.InvalidValue as unfit:
        raise checks.InvalidValue(f"{key}: {unfit}") from unfit
