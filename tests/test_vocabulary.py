"""The vocabulary: docstrings, comments, messages, help texts and documents use the field's terms."""

from __future__ import annotations

import io
import re
import tokenize
from pathlib import Path

import pytest

from tests.sources import CHECKOUT

TO_COME = (
    *("venue_access/app.py", "venue_access/config.py", "venue_access/deadline.py"),
    *("venue_access/errors.py", "venue_access/aws/", "venue_access/doctor/", "venue_access/emulator/"),
    *("venue_access/inventory/", "venue_access/policies/", "venue_access/provisioning/", "venue_access/tokens/"),
    *("venue_access/cli/console_url.py", "venue_access/cli/doctor.py", "venue_access/cli/inventory.py"),
    *("venue_access/cli/local.py", "venue_access/cli/state.py", "venue_access/cli/tokens.py"),
    *("venue_access/cli/venues.py", "scripts/", "docs/delivering-tokens.md", "docs/drift.md", "docs/exit-codes.md"),
    *("docs/inventory.md", "docs/revoking.md", "docs/rotation.md", "docs/scoping-tokens.md", "CONTRIBUTING.md"),
)
"""Files and folders (with a slash) whose prose is still to be rewritten: remove each entry as that is done."""

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
}
"""The old terms, as regular expressions, with what to write instead."""
_GROUPS = (f"(?P<t{number}>\\b(?:{term})\\b)" for number, term in enumerate(OLD_TERMS))
_PATTERN = re.compile("|".join(_GROUPS), re.IGNORECASE)


def prose_files() -> list[str]:
    """Return the files of the package, scripts and documents, without those to come."""
    globs = ("venue_access/**/*.py", "scripts/*", "docs/*.md", "*.md")
    found = [path for pattern in globs for path in CHECKOUT.glob(pattern) if path.is_file()]
    return sorted(name for path in found if not (name := str(path.relative_to(CHECKOUT))).startswith(TO_COME))


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


def test_list_of_files_to_come_is_current() -> None:
    assert [name for name in TO_COME if not (CHECKOUT / name).exists()] == []


@pytest.mark.parametrize("text", ["the lock is told", "a Sealed file", "it is no variable", "the desk"])
def test_old_terms_are_found(text: str) -> None:
    assert _PATTERN.search(text)


@pytest.mark.parametrize("text", ["a token is issued", "there is no account", "it is no longer valid"])
def test_other_words_are_not_found(text: str) -> None:
    assert not _PATTERN.search(text)
