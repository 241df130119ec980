"""IAM that takes a while to see a change, as AWS's does (IAM User Guide, "Troubleshoot IAM")."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from urllib.parse import parse_qs, quote

from tests.functional.faults import refusal

Answered = tuple[int, list[tuple[str, str]], bytes]

_UPDATED = (
    b'<UpdateAssumeRolePolicyResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><ResponseMetadata>'
    b"<RequestId>0a1b2c3d</RequestId></ResponseMetadata></UpdateAssumeRolePolicyResponse>"
)
_DOCUMENT = re.compile(rb"(<AssumeRolePolicyDocument>).*?(</AssumeRolePolicyDocument>)", re.DOTALL)


class LaggingIam:
    """Roles are assumed by the trust policies of some seconds ago; a role that is new cannot be assumed at all.

    The change of a trust policy is answered at once, and carried out when the time has passed.

    :param reads_lag: whether who reads the role sees the old trust policy as well.
    """

    def __init__(self, seconds: float, *, reads_lag: bool = False) -> None:
        self._seconds = seconds
        self._reads_lag = reads_lag
        self._made: dict[str, float] = {}
        self._coming: dict[str, str] = {}
        self._timers: list[threading.Timer] = []

    def answer(self, operation: str, headers: dict[str, str], body: bytes, forward: Callable[[], Answered]) -> Answered:
        """What AWS answers to a call; ``forward`` makes it."""
        if operation not in ("CreateRole", "UpdateAssumeRolePolicy", "GetRole", "AssumeRole"):
            return forward()
        asked = {key: values[0] for key, values in parse_qs(body.decode()).items()}
        role = asked.get("RoleName") or asked["RoleArn"].rpartition("/")[2]
        if operation == "UpdateAssumeRolePolicy":
            return self._later(role, asked["PolicyDocument"], forward)
        if operation == "AssumeRole" and time.monotonic() < self._made.get(role, 0.0) + self._seconds:
            return 403, [], refusal(headers, "AccessDenied", f"not authorized to perform: sts:AssumeRole on {role}")
        status, answered, content = forward()
        if operation == "CreateRole" and status == 200:
            self._made[role] = time.monotonic()
        if operation == "GetRole" and role in self._coming and not self._reads_lag:
            document = quote(self._coming[role]).encode()
            content = _DOCUMENT.sub(lambda found: found[1] + document + found[2], content)
        return status, answered, content

    def wait_until_effective(self) -> None:
        """Wait until everything is seen."""
        for timer in self._timers:
            timer.join()

    def _later(self, role: str, document: str, forward: Callable[[], Answered]) -> Answered:
        self._coming[role] = document

        def carry_out() -> None:
            forward()
            if self._coming.get(role) == document:
                del self._coming[role]

        timer = threading.Timer(self._seconds, carry_out)
        timer.daemon = True
        self._timers.append(timer)
        timer.start()
        return 200, [("Content-Type", "text/xml")], _UPDATED
