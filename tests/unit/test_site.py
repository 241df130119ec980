"""The documentation as a site, and the files that describe the repository to its users and to other tools."""

from __future__ import annotations

import ast
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from venue_access import __version__

CHECKOUT = Path(__file__).resolve().parents[2]


def text(name: str) -> str:
    return (CHECKOUT / name).read_text(encoding="utf-8")


def document(name: str) -> Any:
    return yaml.safe_load(text(name))


def pages(entry: Any) -> list[str]:
    """Return the pages below an entry of mkdocs' navigation, in their order."""
    if isinstance(entry, str):
        return [entry]
    return [page for each in (entry.values() if isinstance(entry, dict) else entry) for page in pages(each)]


def test_each_document_is_once_in_the_navigation() -> None:
    assert sorted(pages(document("mkdocs.yml")["nav"])) == sorted(page.name for page in (CHECKOUT / "docs").iterdir())


def strings_of_the_package() -> str:
    """Return the string literals of the package: an f-string's pieces are apart."""
    found = []
    for module in (CHECKOUT / "venue_access").rglob("*.py"):
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
    return "\n".join(found)


MESSAGES = [
    (message, piece)
    for message in re.findall(r"^\*\*`(.+)`\*\*", text("docs/troubleshooting.md"), re.MULTILINE)
    if message != "No idea what '…' is!"  # Invoke's own
    for piece in filter(None, (part.strip(" '") for part in message.split("…")))
]


@pytest.mark.parametrize(("message", "piece"), MESSAGES)
def test_troubleshooting_quotes_messages_of_the_program(message: str, piece: str) -> None:
    assert piece in strings_of_the_package(), f"no message of the program contains {piece!r}"


def test_troubleshooting_has_the_exit_codes_of_failures() -> None:
    codes = re.findall(r"^## Exit code (\d+)", text("docs/troubleshooting.md"), re.MULTILINE)
    assert codes == ["1", "2", "4", "5", "6", "7"]


def test_recipients_commands_load_a_token(tmp_path: Path) -> None:
    values = {"AccessKeyId": "ASIA1", "SecretAccessKey": "a/b+c", "SessionToken": "x=="}
    (tmp_path / "token.json").write_text(json.dumps({"Credentials": values}, indent=4), encoding="utf-8")
    commands = re.findall(r"^```sh\n(.*?)^```", text("docs/recipients.md"), re.DOTALL | re.MULTILINE)
    shown = 'printf "%s\\n" "$AWS_ACCESS_KEY_ID" "$AWS_SECRET_ACCESS_KEY" "$AWS_SESSION_TOKEN" "${AWS_PROFILE-unset}"'
    done = subprocess.run(
        ["sh", "-euc", "\n".join([*commands, shown])],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "AWS_PROFILE": "other"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == [*values.values(), "unset"]


def test_citation_has_the_version() -> None:
    assert document("CITATION.cff")["version"] == __version__


def test_renovate_finds_the_pinned_terraform() -> None:
    (manager,) = json.loads(text("renovate.json"))["customManagers"]
    pattern = manager["matchStrings"][0].replace("(?<", "(?P<")
    files = [
        name
        for name in ("scripts/bootstrap_terraform.py", "venue_access/config.py")
        if re.match(manager["managerFilePatterns"][0].strip("/"), name)
    ]
    (found,) = [re.search(pattern, text(name)) for name in files]
    assert found is not None
    assert (CHECKOUT / f"requirements/terraform-{found['currentValue']}.sha256").is_file()


@pytest.mark.parametrize("name", ["bug.yml", "idea.yml"])
def test_issue_templates_have_a_name_description_and_fields(name: str) -> None:
    template = document(f".github/ISSUE_TEMPLATE/{name}")
    assert set(template) == {"name", "description", "body"}
    fields = [field for field in template["body"] if field["type"] != "markdown"]
    assert all(field["attributes"]["label"] for field in fields)
    assert len({field["id"] for field in fields}) == len(fields)
