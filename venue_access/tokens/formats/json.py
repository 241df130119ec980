"""The JSON of ``aws sts assume-role``: indented as the AWS CLI does, or on one line."""

from __future__ import annotations

import json

from venue_access.aws.client import AssumedRole
from venue_access.tokens.formats import Format, FormatOptions, aws_json


def _write(token: AssumedRole, terms: FormatOptions) -> str:
    return json.dumps(aws_json(token), indent=None if terms.compact else 4)


FORMAT = Format(_write, several=True)
