"""The one place that prints: results to standard output, everything said to a person to standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any


def result(text: str) -> None:
    """Print a result: the only thing that reaches standard output."""
    print(text, flush=True)


def result_json(document: Mapping[str, Any], *, compact: bool = False) -> None:
    """Print a result as one JSON document, indented as the AWS CLI does unless ``compact``."""
    result(json.dumps(document) if compact else json.dumps(document, indent=4))


def say(text: str) -> None:
    """Tell the person something."""
    print(text, file=sys.stderr, flush=True)


def warn(text: str) -> None:
    """Tell the person something they had better know."""
    say(f"warning: {text}")


def error(text: str) -> None:
    """Tell the person what went wrong."""
    say(f"error: {text}")


class Status:
    """A line that is rewritten in place on a terminal; elsewhere each new text is a line of its own."""

    def __init__(self) -> None:
        self._live = sys.stderr.isatty()
        self._shown = ""

    def show(self, text: str) -> None:
        """Replace what the line says."""
        if text == self._shown:
            return
        self._shown = text
        if self._live:
            print(f"\r\x1b[2K{text}", end="", file=sys.stderr, flush=True)
        else:
            say(text)

    def clear(self) -> None:
        """Take the line away from a terminal."""
        if self._live and self._shown:
            print("\r\x1b[2K", end="", file=sys.stderr, flush=True)
        self._shown = ""
