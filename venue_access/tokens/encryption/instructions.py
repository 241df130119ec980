"""The notes beside what is encrypted, for somebody who has never used AWS. They hold nothing confidential."""

from __future__ import annotations

import shlex
import textwrap
from collections.abc import Sequence
from datetime import datetime

from venue_access.inventory.model import Recipient, Venue
from venue_access.policies.session import TokenScope
from venue_access.times import to_minute


def token_instructions(
    venue: Venue, recipient: Recipient, *, session: str, expires: datetime, scope: TokenScope | None = None
) -> str:
    """What a token is, what it allows and until when, how to use it, and whom to ask.

    :param session: the role session name.
    :param expires: UTC.
    :param scope: what the token was scoped to; the note tells of nothing that AWS would refuse.
    """
    scope = scope or TokenScope()
    sections = [
        (
            "WHAT THIS IS",
            _text(
                f"A token: short-term keys to one place on the platform, the venue {venue.name} (AWS account"
                f" {venue.account_id}, region {venue.region}). They are in the file token.json beside this note, and"
                " nowhere else. They are for you alone: what anybody does with them is logged under the name"
                f" {session}."
            ),
        ),
        ("WHAT IT ALLOWS", _list([*allowed(venue, scope), "nothing else"])),
        ("UNTIL WHEN", _until(expires, recipient.timezone)),
        (
            "HOW TO LOAD IT",
            _text("You need the AWS CLI (https://aws.amazon.com/cli/). Open a terminal in the folder of token.json.")
            + "\n\n  bash or zsh, on Linux and macOS:\n\n"
            + _code(_bash(venue))
            + "\n\n  PowerShell, on Windows:\n\n"
            + _code(_powershell(venue))
            + "\n\n"
            + _text(
                "Or a credentials file, for programs that want a profile: write this into ~/.aws/credentials (on"
                r" Windows %USERPROFILE%\.aws\credentials), the dots replaced by the values in token.json, and add"
                f" --profile {venue.name} to each command:"
            )
            + "\n\n"
            + _code(_profile(venue)),
        ),
        ("HOW TO CHECK THAT IT WORKS", _check(venue, scope, session)),
        *([] if scope.no_ecr else [("HOW TO LOG DOCKER IN", _docker(venue, scope))]),
        (
            "AFTERWARDS",
            _text(
                "Delete token.json, this folder and the encrypted file, and what you wrote into a credentials file. Do"
                " not pass them on, by no mail and no chat: whoever needs access asks for a token of their own."
            ),
        ),
        ("WHOM TO ASK", _whom(venue, f"Name the token, {session}, and never send what is in token.json.")),
    ]
    return _joined(f"Your access to {venue.name}, for {recipient.name}", sections)


def external_id_instructions(venue: Venue, recipient: Recipient) -> str:
    """What an external ID is, how to use it, how long, and whom to ask."""
    sections = [
        (
            "WHAT THIS IS",
            _text(
                f"The external ID of the venue {venue.name}, in the file external-id.txt beside this note. By it the"
                " platform sees that a request for access means this venue and no other. It is no key and opens"
                " nothing by itself, but it is confidential: keep it as you keep a password."
            ),
        ),
        (
            "HOW TO USE IT",
            _text(
                f"Supply it each time you ask for a token of {venue.name}, by a channel that is encrypted: never by"
                " chat or plain mail. A token is refused where it is wrong."
            ),
        ),
        ("UNTIL WHEN", _text("Until the platform changes it; you are sent the new one then.")),
        ("WHOM TO ASK", _whom(venue, "Never send the external ID along with a question.")),
    ]
    return _joined(f"The external ID of {venue.name}, for {recipient.name}", sections)


def allowed(venue: Venue, scope: TokenScope) -> list[str]:
    """What a token of a venue may do, a line each."""
    if scope.policy is not None:
        part = f"a part of what the venue {venue.name} offers, as {scope.policy.name} has it; ask which"
        return [part, *_from_where(scope)]
    lines = []
    if not scope.no_s3:
        folders = " and ".join(_folders(venue, scope)) or "the venue's data bucket"
        writing = ", write and delete" if venue.s3_allow_delete else " and write"
        lines.append(
            f"list and read files in {folders}" if scope.read_only else f"list, read{writing} files in {folders}"
        )
    if not scope.no_ecr:
        named = " and ".join(scope.ecr_repositories)
        names = named or f"whose names begin with {' or '.join(venue.ecr_repository_prefixes)}"
        if scope.read_only:
            lines.append(f"pull images from the ECR repositories (for containers) {names}")
        else:
            lines.append(
                f"create ECR repositories (for containers) {names}, push images to them and pull images from them"
            )
    return [*lines, *_from_where(scope)]


def _from_where(scope: TokenScope) -> list[str]:
    return [f"all of this from {' and '.join(scope.source_cidrs)} only"] if scope.source_cidrs else []


def _folders(venue: Venue, scope: TokenScope) -> list[str]:
    """The places in S3 that a token is let into; none where the inventory has no bucket."""
    prefixes = scope.s3_prefixes or ("",)
    if not venue.s3_buckets and scope.s3_prefixes:
        return [f"the folder {prefix} of the venue's data bucket" for prefix in prefixes]
    separator = "/" if scope.s3_prefixes else ""
    return [f"s3://{bucket}{separator}{prefix}" for bucket in venue.s3_buckets or () for prefix in prefixes]


def _check(venue: Venue, scope: TokenScope, session: str) -> str:
    commands, shown = ["aws sts get-caller-identity"], f"It shows a name that ends in {session}."
    if not scope.no_s3 and scope.policy is None:
        bucket = venue.s3_buckets[0] if venue.s3_buckets else "NAME-OF-THE-BUCKET"
        prefix = scope.s3_prefixes[0] if scope.s3_prefixes else ""
        commands.append(f"aws s3 ls {shlex.quote(f's3://{bucket}/{prefix}')}")
        there = "that folder" if prefix else "the bucket"
        shown = f"The first shows a name that ends in {session}, the second what is in {there}."
    errors = (
        "ExpiredToken means that the time is over: ask for another token. AccessDenied means that the token does not"
        " allow it."
    )
    return _code("\n".join(commands)) + "\n\n" + _text(f"{shown} {errors}")


def _docker(venue: Venue, scope: TokenScope) -> str:
    registry = venue.registry
    repository = (scope.ecr_repositories or (f"{venue.ecr_repository_prefixes[0]}my-tool",))[0]
    use = f"docker pull {registry}/{repository}:1.0"
    told = "This login lasts 12 hours, longer than the token."
    if not scope.read_only:
        told += " An image goes into a repository of its name, which is made once:"
        use = f"aws ecr create-repository --repository-name {repository}\ndocker push {registry}/{repository}:1.0"
    login = f"aws ecr get-login-password | docker login --username AWS --password-stdin {registry}"
    return _code(login) + "\n\n" + _text(told) + "\n\n" + _code(f"{use}\ndocker logout {registry}")


def _until(expires: datetime, timezone: str | None) -> str:
    lines = [to_minute(expires)]
    if timezone is not None:
        from zoneinfo import ZoneInfo

        lines.append(f"{expires.astimezone(ZoneInfo(timezone)):%Y-%m-%d %H:%M %Z} where you are ({timezone})")
    return "\n".join(f"  {line}" for line in lines) + "\n  It cannot be extended; ask for another."


def _bash(venue: Venue) -> str:
    """token.json is indented, a key a line, so that sed can read it: jq and Python are not everywhere."""
    lines = [
        r"""from_token() { sed -n "s/.*\"$1\": \"\([^\"]*\)\".*/\1/p" token.json; }""",
        """export AWS_ACCESS_KEY_ID="$(from_token AccessKeyId)\"""",
        """export AWS_SECRET_ACCESS_KEY="$(from_token SecretAccessKey)\"""",
        """export AWS_SESSION_TOKEN="$(from_token SessionToken)\"""",
        f"export AWS_REGION={venue.region} AWS_DEFAULT_REGION={venue.region}",
        "unset AWS_PROFILE AWS_SECURITY_TOKEN",
    ]
    if venue.aws_endpoint_url:
        lines.append(f"export AWS_ENDPOINT_URL='{venue.aws_endpoint_url}'")
    return "\n".join(lines)


def _powershell(venue: Venue) -> str:
    lines = [
        "$token = (Get-Content token.json -Raw | ConvertFrom-Json).Credentials",
        "$env:AWS_ACCESS_KEY_ID = $token.AccessKeyId",
        "$env:AWS_SECRET_ACCESS_KEY = $token.SecretAccessKey",
        "$env:AWS_SESSION_TOKEN = $token.SessionToken",
        f"$env:AWS_REGION = $env:AWS_DEFAULT_REGION = '{venue.region}'",
        "$env:AWS_PROFILE = $env:AWS_SECURITY_TOKEN = $null",
    ]
    if venue.aws_endpoint_url:
        lines.append(f"$env:AWS_ENDPOINT_URL = '{venue.aws_endpoint_url}'")
    return "\n".join(lines)


def _profile(venue: Venue) -> str:
    lines = [
        f"[{venue.name}]",
        "aws_access_key_id = ...AccessKeyId...",
        "aws_secret_access_key = ...SecretAccessKey...",
        "aws_session_token = ...SessionToken...",
        f"region = {venue.region}",
    ]
    return "\n".join(lines)


def _whom(venue: Venue, care: str) -> str:
    return _text(f"{venue.contact or 'Whoever sent you this'}. {care}")


def _text(text: str) -> str:
    return textwrap.fill(
        text, 78, initial_indent="  ", subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
    )


def _list(items: Sequence[str]) -> str:
    return "\n".join(
        textwrap.fill(item, 78, initial_indent="  - ", subsequent_indent="    ", break_on_hyphens=False)
        for item in items
    )


def _code(text: str) -> str:
    return textwrap.indent(text, "    ")


def _joined(title: str, sections: Sequence[tuple[str, str]]) -> str:
    return "\n\n".join([title, *(f"{heading}\n\n{body}" for heading, body in sections)]) + "\n"
