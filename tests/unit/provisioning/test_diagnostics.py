"""The texts are what Terraform 1.11.4 and the AWS provider 5.100.0 said when these things happened to them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from botocore.retries.standard import ThrottledRetryableChecker

from venue_access.errors import StateLocked
from venue_access.provisioning.diagnostics import Diagnostic, failure
from venue_access.sensitive import ExternalId

NOW = datetime(2026, 11, 20, 22, 20, tzinfo=timezone.utc)
WHERE: dict[str, Any] = {"stack": "unity-dev", "venue": "unity-dev", "now": NOW}
ROLE = 'module.venue["unity-dev"].aws_iam_role.this'
PARAMETER = 'module.venue["unity-dev"].aws_ssm_parameter.external_id'
OPERATOR = "arn:aws:sts::111122223333:assumed-role/venue-access-operator/operator"
ANSWERED = "https response error StatusCode: 400, RequestID: 0a1b2c3d,"


def error(summary: str, address: str | None = None, detail: str = "") -> Diagnostic:
    return Diagnostic("error", summary, detail, address)


def attaching(service: str) -> Diagnostic:
    return error(
        f"attaching IAM Policy (arn:aws:iam::111122223333:policy/unity-dev-sts-{service}) to IAM Role (unity-dev-sts):"
        f" operation error IAM: AttachRolePolicy, {ANSWERED} LimitExceeded:"
        " Cannot exceed quota for PoliciesPerRole: 10",
        f'module.venue["unity-dev"].aws_iam_role_policy_attachment.this["{service}"]',
    )


CASES = {
    "a right that the operator lacks": (
        error(
            f"creating SSM Parameter (/x): operation error SSM: PutParameter, https response error StatusCode: 400,"
            f" RequestID: , api error AccessDeniedException: User: {OPERATOR} is not authorized to perform:"
            " ssm:PutParameter on resource: arn:aws:ssm:us-west-2:111122223333:parameter/x because no identity-based"
            " policy allows the ssm:PutParameter action",
            PARAMETER,
        ),
        "unity-dev: aws_ssm_parameter.external_id: AWS does not allow ssm:PutParameter on"
        f" arn:aws:ssm:us-west-2:111122223333:parameter/x to {OPERATOR}: no identity-based policy allows the"
        " ssm:PutParameter action",
        "invoke operator-policy --venue unity-dev prints",
    ),
    "an account that demands a boundary": (
        error(
            f"creating IAM Role (unity-dev-sts): operation error IAM: CreateRole, {ANSWERED} api error AccessDenied:"
            f" User: {OPERATOR} is not authorized to perform: iam:CreateRole on resource: arn:x with an explicit deny"
            " in a service control policy",
            ROLE,
        ),
        f"unity-dev: aws_iam_role.this: AWS does not allow iam:CreateRole on arn:x to {OPERATOR}: an explicit deny in a"
        " service control policy",
        "set permissions_boundary in the inventory",
    ),
    "a boundary that is gone": (
        error(
            f"creating IAM Role (unity-dev-sts): operation error IAM: CreateRole, {ANSWERED} api error NoSuchEntity:"
            " Scope ARN: arn:aws:iam::111122223333:policy/gone does not exist or is not attachable.",
            ROLE,
        ),
        "unity-dev: aws_iam_role.this: AWS refused iam:CreateRole (NoSuchEntity): Scope ARN:"
        " arn:aws:iam::111122223333:policy/gone does not exist or is not attachable",
        "set permissions_boundary in the inventory to a policy that this account has",
    ),
    "keys that ran out": (
        error(
            f"creating IAM Role (unity-dev-sts): operation error IAM: CreateRole, {ANSWERED} api error ExpiredToken:"
            " The security token included in the request is expired",
            ROLE,
        ),
        "unity-dev: aws_iam_role.this: AWS refused iam:CreateRole (ExpiredToken): The security token included in the"
        " request is expired",
        "get new credentials from your account portal",
    ),
    "throttling": (
        error(
            "creating SSM Parameter (/unity/proj1/dev/cs/sts/role/external-id): operation error SSM: PutParameter,"
            " exceeded maximum number of attempts, 1, https response error StatusCode: 400, RequestID: , api error"
            " ThrottlingException: Rate exceeded",
            PARAMETER,
        ),
        "unity-dev: aws_ssm_parameter.external_id: AWS refused ssm:PutParameter (ThrottlingException): Rate exceeded",
        "wait a minute and run it again",
    ),
    "a connection that was reset": (
        error(
            "creating IAM Policy (unity-dev-sts-ecr): operation error IAM: CreatePolicy, exceeded maximum number of"
            " attempts, 8, https response error StatusCode: 0, RequestID: , request send failed, Post"
            ' "http://127.0.0.1:37839/": read tcp 127.0.0.1:55166->127.0.0.1:37839: read: connection reset by peer',
            ROLE,
        ),
        "unity-dev: aws_iam_role.this: the connection to AWS broke at iam:CreatePolicy (connection reset by peer)",
        "run the command again: it imports what was created",
    ),
    "an answer that was cut off": (
        error(
            "creating IAM Policy (unity-dev-sts-s3): operation error IAM: CreatePolicy, https response error"
            " StatusCode: 200, RequestID: a9c153a9-4ef4-4054-bd3c-0ea3edcb83f0, decomposing response: unexpected EOF",
            ROLE,
        ),
        "unity-dev: aws_iam_role.this: the connection to AWS broke at iam:CreatePolicy (unexpected EOF)",
        "run the command again: it imports what was created",
    ),
    "a fault of AWS's own": (
        error(
            "creating IAM Policy (unity-dev-sts-s3): operation error IAM: CreatePolicy, exceeded maximum number of"
            " attempts, 8, https response error StatusCode: 500, RequestID: 0a1b2c3d, api error InternalFailure: We"
            " encountered an internal error. Please try again.",
            ROLE,
        ),
        "unity-dev: aws_iam_role.this: AWS fails at iam:CreatePolicy (InternalFailure): We encountered an internal"
        " error. Please try again",
        "run the command again in a few minutes",
    ),
    "a balancer without a service": (
        error(
            "creating IAM Policy (unity-dev-sts-s3): operation error IAM: CreatePolicy, exceeded maximum number of"
            " attempts, 8, https response error StatusCode: 503, RequestID: , api error UnknownError: UnknownError",
            ROLE,
        ),
        "unity-dev: aws_iam_role.this: AWS fails at iam:CreatePolicy (HTTP 503)",
        "run the command again in a few minutes",
    ),
    "a clock that is wrong": (
        error(
            "creating IAM Role (unity-dev-sts): operation error IAM: CreateRole, https response error StatusCode: 403,"
            " RequestID: 0a1b2c3d, api error SignatureDoesNotMatch: Signature expired: 20261120T220000Z is now earlier"
            " than 20261120T221500Z (20261120T223000Z - 15 min.)",
            ROLE,
        ),
        "unity-dev: aws_iam_role.this: AWS refused iam:CreateRole (SignatureDoesNotMatch): Signature expired:"
        " 20261120T220000Z is now earlier than 20261120T221500Z (20261120T223000Z - 15 min.)",
        "set this machine's clock",
    ),
    "another account": (
        error("AWS account ID not allowed: 444455556666"),
        "unity-dev: AWS account ID not allowed: 444455556666",
        "these credentials belong to another account",
    ),
    "a plan that was overtaken": (
        error("Saved plan is stale", detail="The given plan file can no longer be applied."),
        "unity-dev: Saved plan is stale: The given plan file can no longer be applied",
        "run the command again",
    ),
    "a lock that somebody holds": (
        error(
            "Error acquiring the state lock",
            detail="Error message: resource temporarily unavailable\nLock Info:\n  ID:        5f1c-88\n  Path:     "
            " terraform.tfstate\n  Operation: OperationTypeApply\n  Who:       ana@issuer\n  Version:   1.11.4\n"
            "  Created:   2026-11-20 22:15:08.123 +0000 UTC\n  Info:      \n\n\nTerraform acquires a state lock...",
        ),
        "unity-dev: the Terraform state is locked by ana@issuer since 2026-11-20 22:15 UTC (apply)",
        "if that run is gone: invoke state.force-unlock --venue unity-dev --lock 5f1c-88",
    ),
    "a lock that may not be written": (
        error(
            "Error acquiring the state lock",
            detail="Error message: operation error S3: PutObject, https response error StatusCode: 403, RequestID:"
            f" 4bc1a958, HostID: , api error AccessDenied: User: {OPERATOR} is not authorized to perform: s3:PutObject"
            " because no identity-based policy allows the s3:PutObject action\nunable to retrieve file from S3 bucket"
            " 'state' with key 'unity-dev/terraform.tfstate.tflock': operation error S3: GetObject, https response"
            " error StatusCode: 404, RequestID: RYG5, HostID: bFn6, NoSuchKey: \n\nTerraform acquires a state lock...",
        ),
        f"unity-dev: AWS does not allow s3:PutObject to {OPERATOR}: no identity-based policy allows the s3:PutObject"
        " action",
        "invoke operator-policy --venue unity-dev prints",
    ),
    "a state that may not be read": (
        error(
            "Failed to refresh state: Unable to access object: operation error S3: HeadObject, https response error"
            " StatusCode: 403, RequestID: 2F3Q, HostID: bcqm, api error Forbidden: Forbidden"
        ),
        "unity-dev: AWS refused s3:HeadObject (Forbidden)",
        "invoke operator-policy --venue unity-dev prints",
    ),
}


@pytest.mark.parametrize(("problem", "message", "remedy"), CASES.values(), ids=CASES)
def test_failure_is_one_short_message_with_a_remedy(problem: Diagnostic, message: str, remedy: str) -> None:
    told = failure("apply", 1, [problem], "", **WHERE)
    assert told.message == message
    assert remedy in (told.hint or "")
    assert told.venues == ({"unity-dev"} if problem.address else frozenset())


@pytest.mark.parametrize("code", vars(ThrottledRetryableChecker)["_THROTTLED_ERROR_CODES"])
def test_throttling_is_retried_by_hand_for_each_code_of_aws(code: str) -> None:
    throttled, _, _ = CASES["throttling"]
    said = throttled.detail.replace("ThrottlingException: Rate exceeded", f"{code}: slow")
    text = throttled.summary.replace("ThrottlingException: Rate exceeded", f"{code}: slow")
    told = failure("apply", 1, [replace(throttled, detail=said, summary=text)], "", **WHERE)
    assert code in told.message
    assert "wait a minute and run it again" in (told.hint or "")


def test_old_lock_was_left_by_a_killed_run() -> None:
    held, _, _ = CASES["a lock that somebody holds"]
    told = failure("plan", 1, [held], "", stack="shared", venue="unity-dev", now=NOW + timedelta(hours=2))
    assert isinstance(told, StateLocked)
    assert told.hint == (
        "no run takes that long: a killed run left the lock; remove it with: invoke state.force-unlock"
        " --venue unity-dev --lock 5f1c-88"
    )


def test_same_failure_of_two_resources_is_one_message() -> None:
    told = failure("apply", 1, [attaching("s3"), attaching("ecr")], "", **WHERE)
    assert told.message == (
        'unity-dev: aws_iam_role_policy_attachment.this["s3"], aws_iam_role_policy_attachment.this["ecr"]: AWS refused'
        " iam:AttachRolePolicy (LimitExceeded): Cannot exceed quota for PoliciesPerRole: 10"
    )
    assert told.hint == "the role has too many policies: detach one, or raise the quota"


def test_message_names_each_venue_and_at_most_three_failures() -> None:
    problems = [error(f"thing {n}", f'module.venue["unity-{n}"].aws_iam_role.this') for n in "abcd"]
    told = failure("apply", 1, problems, "", **WHERE)
    assert told.message == (
        "unity-a: aws_iam_role.this: thing a; unity-b: aws_iam_role.this: thing b; unity-c: aws_iam_role.this: thing c"
        " (and 1 more)"
    )
    assert told.venues == {"unity-a", "unity-b", "unity-c", "unity-d"}


def test_failure_of_the_whole_stack_names_no_venue() -> None:
    problems = [error("thing", ROLE), error("No valid credential sources found")]
    assert failure("plan", 1, problems, "", **WHERE).venues == frozenset()


def test_warning_is_ignored_and_a_signal_is_named() -> None:
    warning = Diagnostic("warning", "Resource targeting is in effect")
    told = failure("apply", -9, [warning], "", **WHERE)
    assert str(told) == "unity-dev: terraform apply was killed (signal 9)\n  run the command again"


def test_boxed_error_is_read() -> None:
    box = (
        "\nInitializing the backend...\n╷\n│ Error: Failed to query available provider packages\n│ \n"
        "│ Could not retrieve the list of available versions\n╵\n"
    )
    told = failure("init", 1, [], box, **WHERE)
    assert told.message == (
        "unity-dev: Failed to query available provider packages: Could not retrieve the list of available versions"
    )
    assert "scripts/bootstrap" in (told.hint or "")


def test_failure_without_output_has_its_exit_code() -> None:
    told = failure("init", 3, [], "", **WHERE)
    assert str(told) == "unity-dev: terraform init ended with 3"


def test_long_text_is_shortened_and_an_external_id_redacted() -> None:
    text = "invalid policy: va.secret-id " + "and so on " * 100
    told = failure(
        "apply",
        1,
        [error(text, ROLE)],
        "",
        **WHERE,
        hide=[ExternalId("va.secret-id")],
    )
    assert "va.secret-id" not in str(told)
    assert "****" in told.message
    assert len(told.message) < 450
