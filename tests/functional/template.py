"""A work directory with provisioned venues, made once per test run and copied by every test that needs one.

Terraform takes ten seconds of CPU time to provision a venue. A copy of the work directory, with what the AWS emulator
has saved there, takes one.
"""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path
from typing import Any

from tests.functional.kit import ACCOUNT, OTHER_ACCOUNT, Kit, emulated, hang_up
from venue_access.emulator.server import aws_emulator
from venue_access.files import locked

SHARED, TRUST = "shared-dev", "trust-dev"
"""Venues with a stack each: the one that most tests issue tokens for, and the one whose trust policy tests change."""
KEY_ALIAS = "alias/proof-dev"
ISSUER_USER = f"arn:aws:iam::{ACCOUNT}:user/issuer"
SHARED_VARIABLES: dict[str, Any] = {"users": {"alice": {"email": "alice@example.org"}, "bob": None}}
TAGGING_VARIABLES: dict[str, Any] = {"source_identity": True, "session_tags": {"Purpose": "testing"}}
ISSUER_VARIABLES: dict[str, Any] = {
    "trusted_principals": [ISSUER_USER, f"arn:aws:iam::{OTHER_ACCOUNT}:root"],
    "max_session_duration": 7200,
}


def _hosts(kms_key: str) -> dict[str, dict[str, Any]]:
    # The last ones share a stack: tests issue tokens for them and change them by hand, but do not provision them.
    in_one_stack = {
        "proof-dev": {"kms_key_arns": [kms_key]},
        "issuer-dev": ISSUER_VARIABLES,
        "tagging-dev": TAGGING_VARIABLES,
        "mfa-dev": {"require_mfa": True},
        "open-dev": {"trusted_principals": [f"arn:aws:iam::{ACCOUNT}:root"], "users": {"alice": None}},
        "deleted-dev": {},
        "scope-one": {},
        "scope-two": {},
    }
    return {
        SHARED: emulated(SHARED, **SHARED_VARIABLES),
        TRUST: emulated(TRUST),
        **{name: emulated(name, stack="pool", **variables) for name, variables in in_one_stack.items()},
    }


def make_template(folder: Path) -> Path:
    """Return the template's work directory. The first of several processes makes it; its AWS emulator is stopped."""
    work_directory, marker = folder / "template" / "work", folder / "template" / "complete"
    (folder / "template").mkdir(exist_ok=True)
    with locked(folder / "template.lock", timeout=600):
        if not marker.exists():
            kit = Kit(folder / "template", work_directory)
            kit.write_inventory({SHARED: emulated(SHARED)})
            kit.done("local.up")
            key = kit.root().call("kms", "create_key")["KeyMetadata"]
            kit.root().call("kms", "create_alias", AliasName=KEY_ALIAS, TargetKeyId=key["KeyId"])
            kit.write_inventory(_hosts(key["Arn"]))
            result = kit.done("provision", "--limit", "all")
            (kit.folder / "out").write_text(result.out)
            (kit.folder / "err").write_text(result.err)
            hang_up()
            aws_emulator(work_directory).down()
            marker.touch()
    return work_directory


def copy_template(template: Path, work_directory: Path) -> None:
    """Make a copy of the template, and start its AWS emulator."""
    shutil.copytree(template, work_directory, symlinks=True)
    emulator = aws_emulator(work_directory)
    (emulator.folder / "port").unlink()  # two copies may start at the same time
    emulator.up()


def kill_emulator(work_directory: Path) -> None:
    """End the AWS emulator of a copy at once. A clean stop would wait for the clients that tests keep."""
    emulator = aws_emulator(work_directory)
    if emulator.is_running():
        os.kill(int((emulator.folder / "pid").read_text()), signal.SIGKILL)
