"""The one place that prints: results to standard output, everything said to a person to standard error."""

from __future__ import annotations

import json
import shutil
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


def ask(question: str) -> str:
    """What the person types in answer; nothing at the end of the input."""
    print(question, end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip()


class Status:
    """A line that is rewritten in place on a terminal; elsewhere what it says stays, without its details."""

    def __init__(self) -> None:
        self._live = sys.stderr.isatty()
        self._shown = ""

    def show(self, text: str) -> None:
        """Replace what the line says."""
        if not self._live and text != self._shown:
            say(text)
        self._shown = text
        self.detail(text)

    def detail(self, text: str) -> None:
        """Replace what the line says on a terminal; it is too much anywhere else."""
        if self._live:
            width = shutil.get_terminal_size().columns - 1
            print(f"\r\x1b[2K{text[:width]}", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        """Take the line away from a terminal."""
        if self._live:
            print("\r\x1b[2K", end="", file=sys.stderr, flush=True)
