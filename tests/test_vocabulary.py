"""The vocabulary: docstrings, comments, messages, help texts and documents use the field's terms."""

from __future__ import annotations

import io
import re
import tokenize
from pathlib import Path

import pytest

from tests.sources import CHECKOUT

OLD_TERMS = {
    r"embedded AWS|local AWS": "AWS emulator",
    r"adopt(s|ed|ing|ion)?": "import",
    r"seal(s|ed|ing)?|parcels?": "encrypt, encrypted bundle",
    r"narrow(s|ed|ing)?( a)? tokens?": "scope a token",
    r"desks?": "operator, issuer",
    r"the guard|prove the guard|guards": "external-ID check",
    r"doors?": "adapter",
    r"houses?": "package, layer, coding conventions",
    r"anew": "re-create, renew",
    r"mend(s|ed|ing)?": "correct",
    r"told": "say who reports it: print, report, return",
    r"whatever|whoever": "name the thing",
    r"for good": "permanently",
    r"doubt(s|ed|ful)?": "warning, unverified",
    r"kept from eyes|mask(s|ed)?|scrub(s|bed|bing)?": "redact, redacted",
    r"departed": "orphaned",
    r"announced": "pending",
    r"somebody|nobody else": "another user, others",
    r"(?<!there )(?<!if there )(is|are) no (?!longer\b|more\b)\w+": "is not a ...",
    r"says so|stands": "say what it is",
    r"own keys|long-term keys": "credentials",
    r"keys of an account": "credentials of an account",
    r"incoming external ID": "pending external ID",
}
"""The old terms, as regular expressions, with what to write instead."""
_GROUPS = (f"(?P<t{number}>\\b(?:{term})\\b)" for number, term in enumerate(OLD_TERMS))
_PATTERN = re.compile("|".join(_GROUPS), re.IGNORECASE)


def prose_files() -> list[str]:
    """Return the files of the package, the scripts and the documents."""
    globs = ("venue_access/**/*.py", "scripts/*", "docs/*.md", "*.md")
    found = [path for pattern in globs for path in CHECKOUT.glob(pattern) if path.is_file()]
    return sorted(str(path.relative_to(CHECKOUT)) for path in found)


def prose(file: Path) -> list[tuple[int, str]]:
    """Return the prose of a file by line: of Python, the comments and strings; of a document, all but code blocks."""
    text = file.read_text(encoding="utf-8")
    if file.suffix == ".py":
        tokens = tokenize.generate_tokens(io.StringIO(text).readline)
        kinds = {tokenize.COMMENT, tokenize.STRING, getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING)}
        return [
            (token.start[0] + number, line)
            for token in tokens
            if token.type in kinds
            for number, line in enumerate(token.string.split("\n"))
        ]
    lines, in_block = [], False
    for number, line in enumerate(text.splitlines(), 1):
        in_block ^= line.startswith("```")
        if not in_block:
            lines.append((number, re.sub("`[^`]*`", "", line)))
    return lines


@pytest.mark.parametrize("name", prose_files())
def test_prose_uses_the_vocabulary(name: str) -> None:
    found = [
        f"{name}:{number}: {match[0]!r}: use: {[*OLD_TERMS.values()][int((match.lastgroup or 't0')[1:])]}"
        for number, line in prose(CHECKOUT / name)
        for match in _PATTERN.finditer(line)
    ]
    assert not found, "\n".join(found)
