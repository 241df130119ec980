"""What all tests share."""

from __future__ import annotations

import signal

# A shell that starts the tests in the background has its children ignore Ctrl-C, which some tests send.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
