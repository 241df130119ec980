"""What a ``credential_process`` prints, version 1.

The source: AWS SDKs and Tools Reference Guide, "Process credential provider".
"""

from __future__ import annotations

import json

from venue_access.aws.client import AssumedRole
from venue_access.tokens.formats import Format, FormatOptions, aws_json


def _write(token: AssumedRole, terms: FormatOptions) -> str:
    return json.dumps({"Version": 1, **aws_json(token)["Credentials"]}, indent=4)


FORMAT = Format(_write)
