"""The commands of docs/formats.md that load a token, each in the shells it is for."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.functional.kit import CHECKOUT
from tests.functional.shells import a_token, need
from venue_access.tokens.formats import aws_json

STS2ENV = CHECKOUT / "scripts" / "sts2env"


def one_liners() -> list[tuple[str, str]]:
    """The lines of docs/formats.md that load a token into a shell, each with the shell."""
    text = (CHECKOUT / "docs" / "formats.md").read_text(encoding="utf-8")
    shells = {"bash": ("bash", "zsh"), "sh": ("dash", "bash", "zsh"), "fish": ("fish",)}
    return [
        (shell, line)
        for language, block in re.findall(r"^```(bash|sh|fish)\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
        for line in block.splitlines()
        for shell in shells[language]
        if "token.json" in line
    ]


def test_documentation_covers_each_shell() -> None:
    assert {shell for shell, _ in one_liners()} == {"bash", "zsh", "dash", "fish"}


@pytest.mark.parametrize(("shell", "line"), one_liners())
def test_documented_one_liner_loads_a_token(shell: str, line: str, tmp_path: Path) -> None:
    need(shell)
    token: dict[str, Any] = aws_json(a_token("a  *$(touch pwned)"))
    (tmp_path / "token.json").write_text(json.dumps(token), encoding="utf-8")
    python = Path(sys.executable).parent
    done = subprocess.run(
        [shell, "-c", f'{line}\nprintf "<%s>" "$AWS_SECRET_ACCESS_KEY" "$AWS_CREDENTIAL_EXPIRATION"'],
        cwd=tmp_path,
        env={"PATH": f"{STS2ENV.parent}:{python}:/usr/bin:/bin", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert (done.stdout, done.stderr) == ("<a  *$(touch pwned)><2026-11-20T22:15:00Z>", "")
    assert not (tmp_path / "pwned").exists()
