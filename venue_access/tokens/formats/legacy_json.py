"""JSON with the four keys that older scripts read: those of boto 2's ``Credentials``."""

from __future__ import annotations

import json

from venue_access.aws.client import AssumedRole
from venue_access.tokens.formats import Format, FormatOptions, aws_json


def _write(token: AssumedRole, terms: FormatOptions) -> str:
    credentials = aws_json(token)["Credentials"]
    document = {
        "access_key": credentials["AccessKeyId"],
        "secret_key": credentials["SecretAccessKey"],
        "session_token": credentials["SessionToken"],
        "expiration": credentials["Expiration"],
    }
    return json.dumps(document, indent=4)


FORMAT = Format(_write)
