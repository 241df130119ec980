"""Reads a venue's ``state:``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from venue_access.inventory import checks
from venue_access.inventory.builder import kind
from venue_access.inventory.model import StateBackend
from venue_access.inventory.nearby import did_you_mean

KEYS = ("backend", "bucket", "key_prefix", "region", "kms_key_id")

_key_prefix = checks.matching(r"(?!.*(^|/)\.{0,2}/)[\w!.*'()/-]{1,512}", "a path such as terraform/venues/")


def read_state(region: str | None) -> Callable[[Any], StateBackend]:
    """A check of ``{backend: local}`` or ``{backend: s3, bucket: ...}``.

    ``region`` is the venue's, and the state bucket's where none is given; a key prefix always ends in ``/``.
    """

    def checked(value: Any) -> StateBackend:
        if not isinstance(value, dict):
            raise checks.Unfit(f"expected a mapping such as {{backend: s3, bucket: <name>}}, found {kind(value)}")
        for key in value:
            if key not in KEYS:
                raise checks.Unfit(f"has no key {key!r}{did_you_mean(str(key), KEYS)} (it has {', '.join(KEYS)})")
        given = {key: part for key, part in value.items() if part is not None}
        backend = given.pop("backend", None)
        if backend == "local":
            if given:
                raise checks.Unfit(f"a local state has no {', '.join(given)}")
            return StateBackend()
        if backend != "s3":
            raise checks.Unfit(f"backend must be local or s3, found {backend!r}")
        if "bucket" not in given:
            raise checks.Unfit("bucket is required for the s3 backend")
        prefix = _part("key_prefix", _key_prefix, given.get("key_prefix"))
        return StateBackend(
            backend="s3",
            bucket=_part("bucket", checks.bucket, given["bucket"]),
            key_prefix=f"{prefix.rstrip('/')}/" if prefix else "",
            region=_part("region", checks.region, given.get("region")) or region,
            kms_key_id=_part("kms_key_id", checks.kms_key_id, given.get("kms_key_id")),
        )

    return checked


def _part(key: str, check: Callable[[Any], str], value: Any) -> str | None:
    try:
        return None if value is None else check(value)
    except checks.Unfit as unfit:
        raise checks.Unfit(f"{key}: {unfit}") from unfit
