"""Process hardening: keep credentials out of core dumps, library logs, and files that take over a standard stream."""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Iterable


def harden_process() -> None:
    """Disable core dumps and TLS key logs, for child processes too, and reserve the descriptors 0, 1 and 2.

    A process that starts with standard output closed gives its descriptor to the next file that it opens. The
    descriptor is therefore opened here, read-only: whatever is printed fails as it would on a closed stream.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.environ.pop("SSLKEYLOGFILE", None)  # whoever reads that file can decrypt the tokens on their way
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDONLY), True)  # takes the lowest free number: this one
    if sys.stdout is None:  # Invoke prints past ui.py, and takes no stream for success
        sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False)


def silence_libraries() -> None:
    """Discard every log record of this process, also of loggers made later, whatever level or handler they have.

    botocore and urllib3 log whole requests and responses. The kit logs nothing itself, and what goes wrong in a
    library reaches it as an exception.
    """
    import logging

    logging.disable(logging.CRITICAL)


def redact_debug_log(logger: str, flags: Iterable[str], arguments: Iterable[str]) -> None:
    """Redact the values of ``flags`` and every external ID that a rotation made in what a logger records.

    :param flags: those whose values are confidential, or may quote something that is.
    :param arguments: the command line.
    """
    import logging

    from venue_access.sensitive import REDACTED, redact_all

    names, values, words = {f"--{flag}" for flag in flags}, set[str](), list(arguments)
    for word, following in zip(words, [*words[1:], ""], strict=True):
        name, separator, value = word.partition("=")
        if name in names:
            given = value if separator else following
            if given not in ("", "-"):  # standard input
                values |= {given, repr(given)[1:-1]}

    def redact_record(record: logging.LogRecord) -> bool:
        text = record.getMessage()
        for value in sorted(values, key=len, reverse=True):  # one may be the beginning of another
            text = text.replace(value, REDACTED)
        record.msg, record.args = redact_all(text), ()
        return True

    logging.getLogger(logger).addFilter(redact_record)
