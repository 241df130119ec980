"""What is encrypted: a confidential file and its instructions, as a tar archive or a MIME message."""

from __future__ import annotations

import io
import tarfile
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP

from venue_access.sensitive import SensitiveStr

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
