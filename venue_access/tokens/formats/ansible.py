"""What the module ``amazon.aws.sts_assume_role`` returns, as JSON that ``--extra-vars @token.json`` takes."""

from __future__ import annotations

import json

from venue_access.aws.client import AssumedRole
from venue_access.tokens.formats import Format, FormatOptions, aws_json


def _write(token: AssumedRole, terms: FormatOptions) -> str:
    credentials = aws_json(token)["Credentials"]
    document = {
        "sts_creds": {
            "access_key": credentials["AccessKeyId"],
            "secret_key": credentials["SecretAccessKey"],
            "session_token": credentials["SessionToken"],
            "expiration": f"{token.expiration:%Y-%m-%dT%H:%M:%S+00:00}",  # as Ansible writes a datetime
        },
        "sts_user": {"assumed_role_id": token.assumed_role_id, "arn": token.arn},
    }
    return json.dumps(document, indent=None if terms.compact else 4)


FORMAT = Format(_write, several=True)
