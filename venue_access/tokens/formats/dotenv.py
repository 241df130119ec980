"""Lines ``NAME=value`` for ``docker run --env-file``, Compose, systemd's ``EnvironmentFile`` and the dotenv packages.

They agree only on bare values: Docker takes quotes for a part of the value, others take them away, and they part over
``$``, ``#``, backslashes and line breaks. So a value with anything in it that AWS does not issue is refused.
"""

from __future__ import annotations

import re

from venue_access.aws.client import AssumedRole
from venue_access.tokens.formats import Format, FormatOptions
from venue_access.tokens.shells import assignments, unwritable

_AGREED = re.compile(r"[\w+/.:,@%=-]*", re.ASCII)


def _write(token: AssumedRole, terms: FormatOptions) -> str:
    found = assignments(token, terms)
    for name, value in found.items():
        if not _AGREED.fullmatch(value):
            raise unwritable(name, "a character", "a dotenv file")
    return "\n".join(f"{name}={value}" for name, value in found.items())


FORMAT = Format(_write)
