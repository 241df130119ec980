"""A token as text: pure functions, one a format."""

from __future__ import annotations

from typing import Any

from venue_access.aws import AssumedRole


def aws_json(token: AssumedRole) -> dict[str, Any]:
    """What ``aws sts assume-role`` prints; ``PackedPolicySize`` only where AWS measured a policy or tags."""
    document: dict[str, Any] = {
        "AssumedRoleUser": {"AssumedRoleId": token.assumed_role_id, "Arn": token.arn},
        "Credentials": {
            "AccessKeyId": token.keys.access_key_id,
            "SecretAccessKey": token.keys.secret_access_key.reveal(),
            "SessionToken": token.keys.session_token.reveal() if token.keys.session_token else "",
            "Expiration": f"{token.expiration:%Y-%m-%dT%H:%M:%SZ}",
        },
    }
    if token.packed_policy_size is not None:
        document["PackedPolicySize"] = token.packed_policy_size
    return document
