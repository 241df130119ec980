"""The provisioned venue with a ledger of the test's own, and the records in it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from tests.functional.kit import ACCOUNT, Kit
from tests.functional.proxy import Proxy
from venue_access.emulator.server import aws_emulator

AGE = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"


def alone(provisioned: tuple[Kit, str], folder: Path) -> Kit:
    """The provisioned venue from a work directory that has no ledger yet, through the same AWS emulator."""
    kit, name = provisioned
    other = Kit(folder, folder / "work")
    endpoint = aws_emulator(kit.work_directory).endpoint()
    variables = json.loads(kit.inventory.read_text())["all"]["hosts"][name]
    real = {**variables, "emulator": False, "aws_endpoint_url": endpoint.url}
    other.write_inventory({name: {**real, "trusted_principals": [f"arn:aws:iam::{ACCOUNT}:root"]}})
    operator = kit.root().assume_role(f"arn:aws:iam::{ACCOUNT}:role/venue-access-operator", "anna").credentials
    other.environment |= {**operator.environment(), "AWS_CA_BUNDLE": str(endpoint.ca_file)}
    return other


def through(proxy: Proxy, kit: Kit) -> Kit:
    """The same, by way of a proxy."""
    [(name, variables)] = json.loads(kit.inventory.read_text())["all"]["hosts"].items()
    kit.write_inventory({name: {**variables, "aws_endpoint_url": proxy.url}})
    return kit


def lines(kit: Kit) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (kit.work_directory / "ledger.jsonl").read_text().splitlines()]


def sessions(text: str) -> set[str]:
    """The role session names of the tokens that were shown whole."""
    found = set()
    for line in text.splitlines():
        try:
            found.add(json.loads(line)["AssumedRoleUser"]["Arn"].rsplit("/", 1)[1])
        except ValueError:
            continue  # the writer was killed in the middle of it
    return found


def for_eve(record: str) -> str:
    """A record whose recipient was changed; of several users any may be the second that AWS answered."""
    return re.sub(r'"recipient":"\w+"', '"recipient":"eve"', record)
