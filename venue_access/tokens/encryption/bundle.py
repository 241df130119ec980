"""What is encrypted: a confidential file and its instructions, as a tar archive or a MIME message."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from zoneinfo import ZoneInfo

from venue_access.inventory.model import Recipient, Venue
from venue_access.policies.session import TokenScope
from venue_access.sensitive import Secret, SensitiveStr
from venue_access.templates import render_template
from venue_access.times import to_minute

README = "README.txt"


@dataclass(frozen=True)
class Bundle:
    """A confidential file, and instructions for its recipient."""

    name: str
    """Of the encrypted file without its suffix, and of the archive's folder."""
    subject: str
    """Of a mail message; not encrypted."""
    instructions: str
    file_name: str
    """Such as ``token.json``."""
    content: SensitiveStr
    created: datetime
    """UTC."""

    def tar(self) -> bytes:
        """Return a tar archive of a folder with both files, which only their owner can read when unpacked.

        The folder keeps a second bundle from overwriting the first. Linux, macOS and Windows 10 include tar.
        """
        buffer = io.BytesIO()
        with tarfile.TarFile(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
            archive.addfile(self._entry("", 0o700, kind=tarfile.DIRTYPE))
            for name, text in ((README, self.instructions), (self.file_name, self.content.reveal())):
                content = text.encode()
                archive.addfile(self._entry(f"/{name}", 0o600, size=len(content)), io.BytesIO(content))
        return buffer.getvalue()

    def mime(self) -> bytes:
        """Return a MIME entity for S/MIME: the instructions are its text, the file is attached (RFC 8551, 3.1)."""
        entity = EmailMessage(policy=SMTP)
        entity.set_content(self.instructions)
        # As bytes, and so in base64: a session token makes a line longer than mail's limit of 998 characters.
        main, _, sub = ("application/json" if self.file_name.endswith(".json") else "text/plain").partition("/")
        entity.add_attachment(self.content.reveal().encode(), maintype=main, subtype=sub, filename=self.file_name)
        return entity.as_bytes()

    def _entry(self, path: str, mode: int, *, kind: bytes = tarfile.REGTYPE, size: int = 0) -> tarfile.TarInfo:
        entry = tarfile.TarInfo(self.name + path)
        entry.mode, entry.type, entry.size, entry.mtime = mode, kind, size, int(self.created.timestamp())
        return entry


@dataclass(frozen=True)
class Encryptor:
    """Encrypts bundles to one recipient."""

    method: str
    """For the ledger: ``age``, ``age-passphrase`` or ``smime``."""
    suffix: str
    """Of the file's name, with its dot."""
    encrypt: Callable[[Bundle], bytes]
    """Returns the content of the file; raises ``DeliveryError`` if the library fails."""
    fingerprints: tuple[str, ...] = ()
    """Of the recipient keys."""
    passphrase: Secret | None = None
    """The passphrase, if the bundle is encrypted by one; the recipient gets it through another channel."""


def token_instructions(
    venue: Venue, recipient: Recipient, *, session: str, expires: datetime, scope: TokenScope | None = None
) -> str:
    """Return what a token allows and until when, how to load and check it, and who answers questions.

    :param session: the role session name.
    :param expires: UTC.
    :param scope: the token's; the instructions contain no command that AWS would refuse.
    """
    scope = scope or TokenScope()
    until = [to_minute(expires)]
    if recipient.timezone is not None:
        local = expires.astimezone(ZoneInfo(recipient.timezone))
        until.append(f"{local:%Y-%m-%d %H:%M %Z} where you are ({recipient.timezone})")
    bucket = venue.s3_buckets[0] if venue.s3_buckets else "NAME-OF-THE-BUCKET"
    prefix = scope.s3_prefixes[0] if scope.s3_prefixes else ""
    return render_template(
        "instructions/token.txt.j2",
        venue=venue,
        recipient=recipient,
        contact=venue.contact or "Ask the sender",
        session=session,
        scope=scope,
        until=until,
        allowed=[*_allowed(venue, scope), "nothing else"],
        bucket_url=None if scope.no_s3 or scope.policy is not None else f"s3://{bucket}/{prefix}",
        repository=(scope.ecr_repositories or (f"{venue.ecr_repository_prefixes[0]}my-tool",))[0],
    )


def external_id_instructions(venue: Venue, recipient: Recipient) -> str:
    """Return what an external ID is, how to use it, until when, and who answers questions."""
    contact = venue.contact or "Ask the sender"
    return render_template("instructions/external-id.txt.j2", venue=venue, recipient=recipient, contact=contact)


def _allowed(venue: Venue, scope: TokenScope) -> list[str]:
    """Return what a token may do, a line each."""
    lines = []
    if scope.policy is not None:
        lines.append(f"a part of what the venue {venue.name} offers, as {scope.policy.name} defines it; ask which")
    if scope.policy is None and not scope.no_s3:
        folders = " and ".join(_folders(venue, scope)) or "the venue's data bucket"
        writing = ", write and delete" if venue.s3_allow_delete else " and write"
        lines.append(
            f"list and read files in {folders}" if scope.read_only else f"list, read{writing} files in {folders}"
        )
    if scope.policy is None and not scope.no_ecr:
        prefixes = " or ".join(venue.ecr_repository_prefixes)
        names = " and ".join(scope.ecr_repositories) or f"whose names begin with {prefixes}"
        if scope.read_only:
            lines.append(f"pull images from the ECR repositories (for containers) {names}")
        else:
            lines.append(
                f"create ECR repositories (for containers) {names}, push images to them and pull images from them"
            )
    if scope.source_cidrs:
        lines.append(f"all of this from {' and '.join(scope.source_cidrs)} only")
    return lines


def _folders(venue: Venue, scope: TokenScope) -> Sequence[str]:
    """Return the S3 locations that a token may use; none if the inventory has no bucket and the scope no prefix."""
    if venue.s3_buckets is None:
        return [f"the folder {prefix} of the venue's data bucket" for prefix in scope.s3_prefixes]
    prefixes = [f"/{prefix}" for prefix in scope.s3_prefixes] or [""]
    return [f"s3://{bucket}{prefix}" for bucket in venue.s3_buckets for prefix in prefixes]
