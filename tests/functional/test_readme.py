"""The documents' commands, run as they stand there; what they print must be what the documents say."""

from __future__ import annotations

import os
import re
import shlex
import stat
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.functional.kit import CHECKOUT
from venue_access.emulator.server import aws_emulator

VARIABLE_PARTS = (
    (r"https://127\.0\.0\.1:\d+", "https://127.0.0.1:PORT"),
    (r"\d{8}T\d{6}Z-[0-9a-f]{8}", "STAMP"),
    (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?Z?", "TIME"),
    (r"\(\d\d:\d\d \S+ here\)", "(TIME here)"),
    (r"\b(AROA|ASIA)[0-9A-Z]{16,}", r"\1ID"),
    (r'("(?:SecretAccessKey|SessionToken)": )"[^"]+"', r'\1"****"'),
)
"""What differs from run to run, and the secrets that the documents mask."""


def same_each_time(text: str) -> list[str]:
    """The lines of an output, what Terraform makes side by side in an order of our own."""
    for pattern, name in VARIABLE_PARTS:
        text = re.sub(pattern, name, text)
    lines = text.splitlines()
    made = sorted(line for line in lines if ": created " in line)
    return [made.pop(0) if ": created " in line else line for line in lines]


@dataclass(frozen=True)
class Example:
    """A command that a document shows, and its output."""

    command: str
    output: str


def examples(document: str, heading: str) -> list[Example]:
    """The commands of the console blocks below a heading, down to the next of its level, with their output."""
    text = (CHECKOUT / document).read_text(encoding="utf-8")
    level = heading.split(" ", 1)[0]
    section = re.split(rf"^{level} ", text.split(f"{heading}\n", 1)[1], flags=re.MULTILINE)[0]
    found = []
    for block in re.findall(r"^```console\n(.*?)^```", section, re.DOTALL | re.MULTILINE):
        for shown in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = shown.partition("\n")
            found.append(Example(command, output))
    return found


class Reader:
    """Somebody who types what the documents show, in a work directory of their own."""

    def __init__(self, folder: Path) -> None:
        self.work_directory = folder / "work"
        self.home = folder / "home"
        self.home.mkdir()
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "INVOKE_"))}
        self.environment = {
            **kept,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "INVOKE_WORKDIR": str(self.work_directory),
        }

    def types(self, command: str, **environment: str) -> tuple[int, str]:
        """The exit code, and what stands on the screen afterwards."""
        done = subprocess.run(
            ["/bin/sh", "-c", command],
            cwd=CHECKOUT,
            env={**self.environment, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
        )
        return done.returncode, done.stdout


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    reader = Reader(tmp_path_factory.mktemp("reader"))
    yield reader
    aws_emulator(reader.work_directory).down()


@pytest.fixture(scope="module")
def shown_in_the_readme(reader: Reader) -> Mapping[str, tuple[Example, int, str]]:
    """The README's three tasks, run in its order."""
    return {
        example.command.split()[1]: (example, *reader.types(example.command))
        for example in examples("README.md", "## Use it")
    }


@pytest.mark.parametrize("command", ["provision", "issue-token", "rotate-external-id"])
def test_readme_shows_real_output(command: str, shown_in_the_readme: Mapping[str, tuple[Example, int, str]]) -> None:
    example, code, output = shown_in_the_readme[command]
    assert code == 0, output
    assert same_each_time(output) == same_each_time(example.output)


def test_readme_shows_commands_and_scripts() -> None:
    assert [example.command.split()[:2] for example in examples("README.md", "## Use it")] == [
        ["invoke", "provision"],
        ["invoke", "issue-token"],
        ["invoke", "rotate-external-id"],
    ]
    scripts = [shlex.split(example.command, comments=True)[0] for example in examples("README.md", "## Try it")]
    assert scripts == ["scripts/demo", "scripts/test"]
    assert all(os.access(CHECKOUT / script, os.X_OK) for script in scripts)


@pytest.mark.usefixtures("shown_in_the_readme")
def test_aws_cli_works_with_a_token_of_the_emulator(reader: Reader) -> None:
    commands = [example.command for example in examples("README.md", "## Point the AWS CLI at the emulator")]
    code, output = reader.types("; ".join(["set -e", *commands]))
    assert code == 0, output
    assert re.search(r"\d README\.md$", output, re.MULTILINE), output


@pytest.mark.soak
@pytest.mark.usefixtures("shown_in_the_readme")
def test_second_run_changes_nothing(reader: Reader) -> None:
    code, output = reader.types("invoke provision --venue unity-dev")
    assert code == 0
    assert "changed=0 " in output


def test_exit_codes_show_a_real_error(reader: Reader) -> None:
    (example,) = examples("docs/exit-codes.md", "# Exit codes")
    assert reader.types(example.command) == (2, example.output)


def test_example_inventory_can_be_adapted(reader: Reader) -> None:
    commands = [example.command for example in examples("docs/getting-started.md", "## 2. An inventory")]
    assert commands[1].startswith("export INVOKE_INVENTORY=")
    code, output = reader.types("; ".join(["set -e", *commands]), HOME=str(reader.home))
    assert code == 0, output
    assert "--unity-dev" in output


def least_inventory() -> str:
    """The inventory of one venue that getting-started shows."""
    text = (CHECKOUT / "docs" / "getting-started.md").read_text(encoding="utf-8")
    blocks: list[str] = re.findall(r"^```yaml\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    return next(block for block in blocks if "all:" in block)


def test_pruned_example_inventory_is_valid_up_to_the_credentials(reader: Reader, tmp_path: Path) -> None:
    commands = [example.command for example in examples("docs/getting-started.md", "## 2. An inventory")]
    home = {"HOME": str(tmp_path), "AWS_EC2_METADATA_DISABLED": "true"}
    assert reader.types("; ".join(["set -e", *commands]), **home)[0] == 0
    (tmp_path / "venues" / "hosts.yml").write_text(least_inventory(), encoding="utf-8")
    code, output = reader.types("; ".join([commands[1], "invoke inventory.check"]), **home)
    assert (code, output) == (0, f"{tmp_path}/venues: 1 venue, valid\n")
    code, output = reader.types("; ".join([commands[1], "invoke provision --venue unity-dev --check"]), **home)
    assert code == 5, output
    assert "unreachable=1" in output


def test_minimal_inventory_of_getting_started_works(reader: Reader, tmp_path: Path) -> None:
    (tmp_path / "hosts.yml").write_text(least_inventory(), encoding="utf-8")
    inventory = f"INVOKE_INVENTORY={shlex.quote(str(tmp_path / 'hosts.yml'))}"
    for example in examples("docs/getting-started.md", "## 3. Your permissions"):
        code, output = reader.types(f"{inventory} {example.command}")
        assert code == 0, output
        assert '"sts:AssumeRole"' in output


# -- what docs/security.md says of the files -------------------------------------------------------------------------


ONLY_SOMETIMES = (
    "failed",
    *(f"stacks/<stack>/{name}" for name in ("plan.tfplan", "moved-to.json", "moved.terraform.tfstate*")),
    *(f"stacks/<stack>/{name}" for name in ("terraform.tfstate.unreadable", "errored.tfstate")),
    *(f"stacks/<stack>/{name}" for name in (".external_ids.auto.tfvars.json.*", ".terraform.tfstate.*")),
)
"""Files that a run leaves where something went wrong or was moved: see test_confidential_files.py."""


def documented(column: int = 0) -> Mapping[str, str]:
    """What the table lists as a pattern of paths below the work directory, and its mode, or its next column."""
    text = (CHECKOUT / "docs" / "security.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`.+?) \| (0\d+) \| (.+) \|$", text, re.MULTILINE)
    found = {}
    for names, *columns in rows:
        folder = ""
        for name in re.findall(r"`([^`]+)`", names):
            path = name if "/" in name.rstrip("/") else folder + name  # later ones stand beside the first
            folder = folder or path.rpartition("/")[0] + "/"
            found[path] = columns[column]
    return found


def pattern(path: str) -> str:
    escaped = re.escape(path).replace(re.escape("<stack>"), "[^/]+").replace(re.escape("<venue>"), "[^/]+")
    return escaped.replace(r"\*", "[^/]*") + (".+" if path.endswith("/") else "")


@pytest.mark.usefixtures("shown_in_the_readme")
def test_work_directory_files_are_documented(reader: Reader) -> None:
    patterns = {re.compile(pattern(path)): int(mode, 8) for path, mode in documented().items()}
    met = set()
    for file in reader.work_directory.rglob("*"):
        name, mode = str(file.relative_to(reader.work_directory)), file.lstat().st_mode
        if stat.S_ISLNK(mode) or "/.terraform/providers/" in name:  # the provider's own files
            continue
        if stat.S_ISDIR(mode):
            assert stat.S_IMODE(mode) == 0o700, name
            continue
        matching = [each for each in patterns if each.fullmatch(name)]
        assert matching, f"{name} is not documented"
        assert stat.S_IMODE(mode) == patterns[matching[0]], name
        met.update(matching)
    unmet = {each.pattern for each in patterns} - {each.pattern for each in met}
    assert unmet == {pattern(name) for name in ONLY_SOMETIMES}
