"""What is encrypted: one confidential file, and beside it a note in plain words; as a tar archive or a MIME message."""

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
    """One confidential file, and the note to whoever receives it."""

    name: str
    """Names the encrypted file, and the folder that an archive unpacks into."""
    subject: str
    """Of a mail; readable by everyone on its way."""
    note: str
    file_name: str
    """Such as ``token.json``."""
    content: SensitiveStr
    made: datetime
    """UTC."""

    def tar(self) -> bytes:
        """A tar archive of one folder with the file and the note, readable by whoever unpacks it alone.

        The folder keeps a second parcel from overwriting the first; tar comes with Linux, macOS and Windows 10.
        """
        buffer = io.BytesIO()
        with tarfile.TarFile(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
            archive.addfile(self._entry("", 0o700, kind=tarfile.DIRTYPE))
            for name, text in ((README, self.note), (self.file_name, self.content.reveal())):
                content = text.encode()
                archive.addfile(self._entry(f"/{name}", 0o600, size=len(content)), io.BytesIO(content))
        return buffer.getvalue()

    def mime(self) -> bytes:
        """A MIME entity for S/MIME to encrypt: the note as its text, the file attached (RFC 8551, 3.1)."""
        entity = EmailMessage(policy=SMTP)
        entity.set_content(self.note)
        # As bytes, and so in base64: a session token makes a line longer than the 998 characters that mail takes.
        main, _, sub = ("application/json" if self.file_name.endswith(".json") else "text/plain").partition("/")
        entity.add_attachment(self.content.reveal().encode(), maintype=main, subtype=sub, filename=self.file_name)
        return entity.as_bytes()

    def _entry(self, path: str, mode: int, *, kind: bytes = tarfile.REGTYPE, size: int = 0) -> tarfile.TarInfo:
        entry = tarfile.TarInfo(self.name + path)
        entry.mode, entry.type, entry.size, entry.mtime = mode, kind, size, int(self.made.timestamp())
        return entry
