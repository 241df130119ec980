"""The functions to source, in real shells at a terminal: each line of system 2's transcript has its counterpart."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.functional.kit import CHECKOUT
from tests.functional.own_accounts import ROLE, Home, make_home
from tests.functional.shells import need
from tests.functional.terminal import at_terminal
from venue_access.emulator.server import aws_emulator

SH, FISH = CHECKOUT / "scripts" / "venue-access.sh", CHECKOUT / "scripts" / "venue-access.fish"
SHELLS = [("bash", SH), ("zsh", SH), ("fish", FISH)]
KEPT = ("AWS_ENDPOINT_URL", "AWS_CA_BUNDLE", "AWS_EC2_METADATA_DISABLED")

TRANSCRIPT: list[tuple[str, list[str]]] = [
    ("ec2now", ["No keys set"]),
    ("ec2switch", ["Possible accounts: work personal"]),
    ("ec2switch personal", ["Cache not present for account personal", "Set keys for personal AWS account"]),
    ("ec2now", ["Keys set for personal AWS account", "Region is us-east-1"]),
    (
        "ec2mfa",
        [
            "Enter token for user jbrowne: 281823",
            "Cache is valid for account personal",
            "Set keys for personal-MFA-STS AWS account",
        ],
    ),
    ("ec2now", ["Keys set for personal-MFA-STS AWS account", "Region is us-east-1"]),
    ("ec2switch work", ["Cache not present for account work", "Set keys for work AWS account"]),
    ("ec2switch personal", ["Cache is valid for account personal", "Set keys for personal-MFA-STS AWS account"]),
    (
        f"generate-sts-role-token --account work --role {ROLE} | cut -d: -f1",
        ["{", '    "access_key"', '    "secret_key"', '    "session_token"', '    "expiration"', "}"],
    ),
    ("vaunset", []),
    ("vanow", ["No keys set"]),
]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, work_directory: Path) -> Home:
    return make_home(tmp_path_factory.mktemp("home"), aws_emulator(work_directory).endpoint())


def run(home: Home, shell: str, file: Path, script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a script that has sourced the functions, and stands elsewhere; what it says comes with what it prints."""
    need(shell)
    return subprocess.run(
        [shell, "-c", f"cd /; . '{file}'\n{script}"],
        env={**home.environment, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(("shell", "file"), SHELLS)
def test_transcript_of_the_old_tools(home: Home, tmp_path: Path, shell: str, file: Path) -> None:
    need(shell)
    home.remove_sessions()
    script = tmp_path / "script"
    script.write_text("\n".join([f". '{file}'", *(f"echo '$ {line[:9]}'; {line}" for line, _ in TRANSCRIPT)]))
    command: list[str | Path] = ["/bin/sh", "-c", 'exec "$0" "$@" 1>&2', shell, script]
    shown = at_terminal(command, folder=tmp_path, environment=home.environment, answer="281823", to="jbrowne: ")
    assert shown.code == 0, shown.screen
    steps = shown.screen.replace("\r\n", "\n").split("$ ")[1:]
    assert len(steps) == len(TRANSCRIPT), shown.screen
    said = [(line, step.splitlines()[1:]) for step, (line, _) in zip(steps, TRANSCRIPT, strict=True)]
    assert said == TRANSCRIPT


@pytest.mark.parametrize(("shell", "file"), SHELLS)
def test_failed_command_leaves_the_environment_unchanged(home: Home, shell: str, file: Path) -> None:
    code = "$status" if shell == "fish" else "$?"
    before = "env | grep -v '^_=' | sort"
    steps = ["vause nobody", "vamfa work --code 12", "vatoken nowhere", "vause \"x'; touch owned; '\"", "vamfa"]
    script = "\n".join([before, *(f"{step} 2>&1 >/dev/null; echo code {code}" for step in steps), before])
    done = run(home, shell, file, script)
    first, *codes = done.stdout.split("code 2\n")
    assert len(codes) == len(steps), done.stdout
    environment = first[: first.index("error:")]
    assert codes[-1] == environment
    assert not Path("/owned").exists()


@pytest.mark.parametrize(("shell", "file"), SHELLS)
def test_hostile_values_are_quoted(home: Home, shell: str, file: Path) -> None:
    secret, owned = "a'$(touch${IFS}owned)`id`\"\\!%x%*;", home.folder / "owned"
    for kind, value in (("access_key", "AKIAEXAMPLE000000009"), ("secret_key", secret), ("user", "$(touch owned)")):
        (home.credentials / f"evil.{kind}").write_text(f"{value}\n", encoding="ascii")
        (home.credentials / f"evil.{kind}").chmod(0o600)
    config = home.folder / "hostile-config"
    keys = "aws_access_key_id = AKIAEXAMPLE000000008\naws_secret_access_key = x\n"
    config.write_text("".join(f"[profile '{name}']\n{keys}" for name in ("$(touch owned)", "`id`", "a b", "x;id")))
    config.chmod(0o600)
    show = "echo $AWS_SECRET_ACCESS_KEY" if shell == "fish" else 'printf "%s\\n" "$AWS_SECRET_ACCESS_KEY"'
    done = run(home, shell, file, f"cd '{home.folder}'; vause; vause evil; {show}", AWS_CONFIG_FILE=str(config))
    for made in home.credentials.glob("evil.*"):
        made.unlink()
    assert done.stdout.splitlines() == [
        *("Possible accounts: work personal evil", "Cache not present for account evil"),
        *("Set keys for evil AWS account", secret),
    ]
    assert not owned.exists()


@pytest.mark.parametrize(("shell", "file"), SHELLS)
def test_unset_removes_only_account_variables(home: Home, shell: str, file: Path) -> None:
    count = "env | grep -E '^(AWS_|VENUE_)' | cut -d= -f1 | sort | tr '\\n' ' '; echo"
    done = run(home, shell, file, f"vause work --legacy; {count}; vaunset; {count}", AWS_PROFILE="stale")
    lines = [line for line in done.stdout.splitlines() if line.startswith("AWS_")]
    own = ["AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_DEFAULT_REGION", "AWS_REGION", "AWS_SECRET_ACCESS_KEY"]
    assert lines[0].split() == sorted([*own, "AWS_SECRET_KEY", *KEPT, "VENUE_ACCESS_ACCOUNT"])
    assert lines[1].split() == sorted(KEPT)


@pytest.mark.parametrize(("shell", "file"), SHELLS[:2])
def test_strict_shells_work_and_traces_show_no_credentials(home: Home, shell: str, file: Path) -> None:
    script = "set -euxC\nvause work\nvanow\nvaunset\nvanow"
    done = run(home, shell, file, script)
    assert done.returncode == 0, done.stdout
    assert "Keys set for work AWS account" in done.stdout
    assert not [key for key in home.keys("work") if key in done.stdout]


@pytest.mark.parametrize(("shell", "file"), SHELLS)
def test_sourcing_runs_nothing_and_follows_links(home: Home, tmp_path: Path, shell: str, file: Path) -> None:
    link = tmp_path / "linked"
    link.symlink_to(file)
    nothing = tmp_path / "empty"
    nothing.mkdir()
    path = home.environment["PATH"]
    back = f"set -gx PATH {path.replace(':', ' ')}" if shell == "fish" else f"PATH='{path}'"
    empty = f"set -gx PATH {nothing}" if shell == "fish" else f"PATH='{nothing}'"
    (tmp_path / "nothing").touch()
    done = run(home, shell, tmp_path / "nothing", f"{empty}\n. '{link}'\n{back}\nvanow")
    assert done.stdout == "No keys set\n"


def test_names_are_completed(home: Home) -> None:
    asked = "complete -C 'vause w'; complete -C 'vatoken uni'; complete -C 'vatoken unity-dev --user al'"
    done = run(home, "fish", FISH, asked)
    assert [line.split("\t")[0] for line in done.stdout.splitlines()] == ["work", "unity-dev", "unity-test", "alice"]
    completed = "; ".join(
        f'_venue_access_complete {words}; echo "${{COMPREPLY[@]}}"'
        for words in ("vause w vause", "vatoken uni vatoken", "vatoken al --user")
    )
    assert run(home, "bash", SH, completed).stdout.splitlines() == ["work", "unity-dev unity-test", "alice"]
