"""Process hardening: keep credentials out of core dumps, library logs, and files that take over a standard stream."""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Iterable


def harden_process() -> None:
    """Disable core dumps and TLS key logs, for child processes too, and reserve the descriptors 0, 1 and 2.

    If standard output is closed when a process starts, the next file that it opens gets descriptor 1. So the
    descriptor is opened here, read-only: printing fails as it does on a closed stream.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.environ.pop("SSLKEYLOGFILE", None)  # that file would allow decrypting tokens in transit
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDONLY), True)  # gets the lowest free number: this one
    if sys.stdout is None:  # Invoke prints without console.py, and ignores a missing stream
        sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False)


def silence_libraries() -> None:
    """Discard every log record of this process, of any logger, level and handler.

    botocore and urllib3 log whole requests and responses. The kit itself logs nothing, and libraries report errors as
    exceptions.
    """
    import logging

    logging.disable(logging.CRITICAL)


def redact_debug_log(logger: str, flags: Iterable[str], arguments: Iterable[str]) -> None:
    """Redact the values of ``flags``, and every generated external ID, in a logger's records.

    :param flags: the flags whose values are confidential, or may quote something confidential.
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
        for value in sorted(values, key=len, reverse=True):  # one may be a prefix of another
            text = text.replace(value, REDACTED)
        record.msg, record.args = redact_all(text), ()
        return True

    logging.getLogger(logger).addFilter(redact_record)
