"""The AWS emulator with what MiniStack leaves out of MFA: a code is looked at, and the session it gives carries MFA.

MiniStack takes any code, or none, and its sessions never have the two condition keys; so it shows only that a policy
denies without MFA. Its own evaluation of policies is what is used here too. A device's right code is ``CODE``.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from ministack import app as ministack
from ministack.core import iam_evaluator
from ministack.services import iam, sts

from venue_access.aws.client import Endpoint
from venue_access.emulator.server import HOST

CODE = "123456"
_with_mfa: dict[str, float] = {}
"""When a session's holder showed a code, by access key."""
_get_session_token, _keys = sts.handle_request, iam_evaluator._principal_keys


async def _handle_request(method: str, path: str, headers: Any, body: Any, query: Any) -> Any:
    asked = parse_qs(body.decode() if isinstance(body, bytes) else body or "")
    if asked.get("Action") != ["GetSessionToken"] or "SerialNumber" not in asked:
        return await _get_session_token(method, path, headers, body, query)
    device = iam._mfa_devices.get(asked["SerialNumber"][0])
    if device is None or device["User"] is None or asked.get("TokenCode") != [CODE]:
        refused = "MultiFactorAuthentication failed with invalid MFA one time pass code."
        error = f"<Error><Type>Sender</Type><Code>AccessDenied</Code><Message>{refused}</Message></Error>"
        return 403, {"Content-Type": "text/xml"}, f"<ErrorResponse>{error}</ErrorResponse>".encode()
    answer = await _get_session_token(method, path, headers, body, query)
    found = re.search(rb"<AccessKeyId>(\w+)</AccessKeyId>", answer[2])
    if found:
        _with_mfa[found[1].decode()] = time.time()
    return answer


def _principal_keys(credential: Any) -> dict[str, Any]:
    keys: dict[str, Any] = _keys(credential)
    shown = _with_mfa.get(credential.access_key_id)
    if shown is not None:
        keys["aws:multifactorauthpresent"] = "true"
        keys["aws:multifactorauthage"] = str(int(time.time() - shown))
    return keys


sts.handle_request = _handle_request
iam_evaluator._principal_keys = sts._principal_keys = _principal_keys
app = ministack.app


@contextmanager
def mfa_aws(folder: Path, port: int) -> Iterator[Endpoint]:
    """It, on a port of this machine."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "AUTH": "true",
        "GATEWAY_PORT": str(port),
        "MINISTACK_HOST": HOST,
        "SFTP_ENABLED": "0",
        "IOT_MTLS_ENABLED": "0",
    }
    command = [sys.executable, "-m", "hypercorn", f"{__name__}:app", "--bind", f"{HOST}:{port}", "--workers", "0"]
    root = Path(__file__).resolve().parents[2]
    with (folder / "log").open("wb") as log, subprocess.Popen(
        [*command, "--log-level", "WARNING"], cwd=root, env=environment, stdout=log, stderr=log
    ) as server:  # fmt: skip
        try:
            yield Endpoint(f"http://{HOST}:{port}")
        finally:
            server.terminate()
