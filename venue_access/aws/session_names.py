"""Role session names: who a token is for, when it was issued, and which one it is."""

from __future__ import annotations

import re
import secrets
from datetime import datetime

_ROOM = 64  # characters of a role session name (AWS STS API reference, AssumeRole)
LONGEST_USER = _ROOM - len("-20261120T221500Z-3f9c21ab")
"""Characters that a session name has room for: of a longer name it has the beginning."""

_NAME = re.compile(r".+-20\d{6}T\d{6}Z-[0-9a-z]{8}", re.ASCII)


def role_session_name(user: str, issued: datetime, *, unique: str | None = None) -> str:
    """``alice-20261120T221500Z-3f9c21ab``: unique for each issue, so that one token can be revoked.

    :param user: a recipient's name, which the inventory takes only as AWS takes it.
    :param issued: UTC.
    :param unique: eight characters; random unless given. Where the whole would be too long the user's part is cut.
    """
    return f"{user_part(user)}-{issued:%Y%m%dT%H%M%SZ}-{unique or secrets.token_hex(4)}"


def user_part(user: str) -> str:
    """What a role session name has of the user's name: all of it, or its first 38 characters."""
    return user[:LONGEST_USER]


def is_of_a_token(name: str) -> bool:
    """Whether a name is like those that ``role_session_name`` gives; one that was copied in part is not."""
    return _NAME.fullmatch(name) is not None
