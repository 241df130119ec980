"""Operators with work directories of their own, before one AWS emulator: what another machine would be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.functional.kit import ACCOUNT, Kit, emulated
from tests.functional.proxy import Proxy
from venue_access.inventory.model import emulator_operator_arn


def operator(home: Kit, proxy: Proxy, folder: Path, work_directory: Path, name: str, **variables: Any) -> Kit:
    """An operator of the venue ``name``, with keys and through a proxy, which ``home``'s AWS emulator knows."""
    kept = {key: value for key, value in variables.items() if key in ("state", "ledger")}
    home.write_inventory({name: emulated(name, **kept)})
    home.done("local.up")  # which makes the operator's role and the buckets
    folder.mkdir()
    kit = Kit(folder, work_directory)
    kit.environment |= {"AWS_ACCESS_KEY_ID": ACCOUNT, "AWS_SECRET_ACCESS_KEY": "test"}
    kit.write_inventory({name: remote(name, proxy, **variables)})
    return kit


def remote(name: str, proxy: Proxy, **variables: Any) -> dict[str, Any]:
    """A venue's variables: not on an AWS emulator of one's own, but behind the proxy."""
    return {
        **emulated(name),
        "emulator": False,
        "aws_endpoint_url": proxy.url,
        "operator_role_arn": emulator_operator_arn(ACCOUNT),
        "trusted_principals": [f"arn:aws:iam::{ACCOUNT}:root"],
        **variables,
    }
