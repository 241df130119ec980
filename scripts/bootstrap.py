"""Make this checkout ready to run: the packages in .venv, Terraform, and the place of its AWS provider.

Run it at any time: it repairs what is missing, and prints nothing if nothing is. It writes only to .venv and
.venue-access, and needs no package. It installs with uv if that is on the PATH, else with pip.
"""

from __future__ import annotations

import argparse
import compileall
import contextlib
import fcntl
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(CHECKOUT))  # nothing is installed yet

from scripts import bootstrap_terraform as terraform
from scripts.bootstrap_terraform import say
from venue_access.errors import UsageError, VenueAccessError
from venue_access.files import write_private

VENV = CHECKOUT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "bootstrap.json"
WORK = CHECKOUT / ".venue-access"
PYTHON_VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
LAYERS = ("runtime", "emulator", "dev")
ENTRY_POINTS = {
    "venue-access": "venue_access.cli.program:run_venue_access",
    "venue-access-credentials": "venue_access.accounts.credentials:main",
    **dict.fromkeys(("invoke", "inv"), "venue_access.cli.program:run_invoke"),
}
"""The programs of .venv/bin that are ours; the first two are also in pyproject.toml."""

SETTINGS = f"""\
settings, from the environment:
  PYTHON                         the Python that .venv is made of; otherwise the first of python3, python3.13 ... 3.10
  INVOKE_TERRAFORM               the Terraform to use, such as tofu; otherwise terraform on the PATH, if it is 1.11
                                 or later, or else the release {terraform.PINNED}, downloaded and verified
  VENUE_ACCESS_TERRAFORM_MIRROR  where that is downloaded from, laid out as {terraform.RELEASES}
  PIP_INDEX_URL and the like     pip's own, also from its configuration files: where packages come from; pip is then
                                 used even if uv is there
  UV_DEFAULT_INDEX and the like  the same of uv, which is then used
"""

SOURCES = ("INDEX_URL", "EXTRA_INDEX_URL", "NO_INDEX", "FIND_LINKS", "CONFIG_FILE")
"""The settings of pip that say where packages come from."""
PIP_SETTINGS = frozenset(
    f"PIP_{name}"
    for name in (
        *SOURCES,
        *("TRUSTED_HOST", "CERT", "CLIENT_CERT", "PROXY", "TIMEOUT", "DEFAULT_TIMEOUT", "RETRIES"),
        *("CACHE_DIR", "NO_CACHE_DIR", "KEYRING_PROVIDER"),
    )
)
"""The settings of pip that are respected: any other (PIP_TARGET, PIP_NO_DEPS) would change what is installed."""


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="scripts/bootstrap",
        description=__doc__,
        epilog=SETTINGS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--emulator", action="store_true", help="also install the AWS emulator")
    parser.add_argument("--dev", action="store_true", help="also install what tests and checks need")
    options = parser.parse_args()
    layers = LAYERS if options.dev else LAYERS[:2] if options.emulator else LAYERS[:1]
    try:
        WORK.mkdir(mode=0o700, exist_ok=True)
        installed = not packages_are_current(layers)
        if installed:
            with locked() as lock:
                install_packages(layers, lock)
        terraform.provide(os.environ, CHECKOUT)
        terraform.configure_provider(os.environ, Path.home(), CHECKOUT)
        # Each command would compile the modules if PYTHONDONTWRITEBYTECODE is set, or the checkout is read-only.
        compileall.compile_dir(CHECKOUT / "venue_access", quiet=2)
        compileall.compile_file(CHECKOUT / "tasks.py", quiet=2)
        write_entry_points()
    except VenueAccessError as error:
        say(f"error: {error}")
        return error.exit_code
    except OSError as error:
        say(f"error: {error.filename or CHECKOUT}: {(error.strerror or str(error)).lower()}")
        return UsageError.exit_code
    except KeyboardInterrupt:
        say("interrupted; run it again to continue")
        return 130
    if installed:
        say("ready; next: .venv/bin/invoke --list")
    return 0


def write_entry_points() -> None:
    """Write the package's programs, which pip writes only for an installed package.

    Invoke's own are replaced: ours report a broken configuration or a closed pipe without a traceback.
    """
    for name, entry_point in ENTRY_POINTS.items():
        module, function = entry_point.split(":")
        program = VENV / "bin" / name
        # As pip writes them: the kernel's own #! allows neither a space nor a long path.
        lines = [
            "#!/bin/sh",
            f"""'''exec' "{PYTHON}" "$0" "$@\"""",
            "' '''",
            "import sys",
            f"sys.path.insert(0, {str(CHECKOUT)!r})",
            f"from {module} import {function}",
            f"sys.exit({function}())",
        ]
        text = "".join(f"{line}\n" for line in lines)
        if not program.exists() or program.read_text(encoding="utf-8") != text:
            write_private(program, text)
            program.chmod(0o755)


@contextlib.contextmanager
def locked() -> Iterator[int]:
    """Let one bootstrap at a time install; its installer inherits the lock, and holds it if the bootstrap is killed."""
    with (WORK / "bootstrap.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another bootstrap to end")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock.fileno()


# Packages. The stamp is absent while .venv changes: a .venv without one is replaced.


def packages_are_current(layers: Sequence[str]) -> bool:
    stamp = read_stamp()
    return (
        stamp is not None
        and all(stamp["layers"].get(layer) == digest(layer) for layer in layers)
        and set(stamp["distributions"]) <= distributions()
    )


def install_packages(layers: Sequence[str], lock: int) -> None:
    if packages_are_current(layers):  # another bootstrap has installed them
        return
    stamp = read_stamp()
    if stamp is None:
        make_venv(lock)
        stamp = {**identity(), "layers": {}, "distributions": []}
    say(f"installing the packages of {', '.join(layers)} (a minute or so the first time)")
    STAMP.unlink(missing_ok=True)
    try:
        # First what builds: pip would otherwise fetch it for python-terraform itself, unpinned and unverified.
        install(("build",), lock)
        install(layers, lock, "--no-build-isolation")
        stamp["layers"].update({layer: digest(layer) for layer in layers})
        stamp["distributions"] = sorted(distributions())
    except UsageError:  # nothing is changed before everything is there: the packages of before are still good
        write_private(STAMP, json.dumps(stamp, indent=1))
        raise
    write_private(STAMP, json.dumps(stamp, indent=1))


def read_stamp() -> dict[str, Any] | None:
    """Return what was installed; None if .venv is missing, incomplete, moved, or of another Python."""
    try:
        stamp: dict[str, Any] = json.loads(STAMP.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return stamp if identity().items() <= stamp.items() and PYTHON.exists() else None


def identity() -> dict[str, str]:
    """Return what a .venv is bound to: its scripts name its path, its packages are below the Python's version."""
    return {"path": str(VENV), "python": PYTHON_VERSION}


def digest(layer: str) -> str:
    return hashlib.sha256((CHECKOUT / "requirements" / f"{layer}.txt").read_bytes()).hexdigest()


def distributions() -> set[str]:
    return {path.name for path in VENV.glob("lib/python*/site-packages/*.dist-info")}


def make_venv(lock: int) -> None:
    # The Python below any virtual environment, the .venv that is replaced included.
    python = str(Path(sys.base_prefix, "bin", f"python{PYTHON_VERSION}"))
    say(f"making .venv with Python {platform.python_version()}")
    if VENV.is_symlink() or VENV.is_file():
        VENV.unlink()
    elif VENV.exists():
        shutil.rmtree(VENV)
    done = run([python, "-I", "-m", "venv", str(VENV)], lock)
    if done.returncode != 0:
        raise UsageError(
            f"{python} cannot make a virtual environment: {last_line(done.stdout)}",
            hint="its venv or ensurepip module may be missing; on Debian: apt install python3-venv",
        )


def install(layers: Sequence[str], lock: int, *options: str) -> None:
    """Install the packages of some layers, whose hashes are verified, with uv or pip."""
    uv = None if has_pip_sources() else shutil.which("uv")
    if uv is not None:
        command = [uv, "pip", "install", "--quiet", "--python", str(PYTHON)]
    else:
        command = [str(PYTHON), "-I", "-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check"]
        command += ["--use-pep517"]
    files = [part for layer in layers for part in ("-r", str(CHECKOUT / "requirements" / f"{layer}.txt"))]
    done = run([*command, "--require-hashes", *options, *files], lock)
    if done.returncode == 0:
        return
    hint = None
    if re.search(
        r"connection broken by|NewConnectionError|ConnectTimeout|NameResolution|[Ff]ailed to fetch", done.stdout
    ):
        hint = "check the network, or the configuration of the package index (pip config list)"
    errors = re.findall(r"(?:ERROR|error):\s*(.+)", done.stdout) or [last_line(done.stdout)]
    causes = re.findall(r"(?:cause|Caused by): (.+)", done.stdout)  # uv gives the reason last
    name = "pip" if uv is None else "uv"
    raise UsageError(f"{name} failed: {': '.join([errors[0], *causes[-1:]])}", hint=hint)


def has_pip_sources() -> bool:
    """Return whether pip alone is configured with a source of packages: uv does not read pip's configuration."""
    if any(name.startswith("UV_") for name in os.environ):
        return False
    home = Path.home()
    config = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config")
    files = (home / ".pip" / "pip.conf", config / "pip" / "pip.conf", Path("/etc/pip.conf"))
    return any(f"PIP_{name}" in os.environ for name in SOURCES) or any(file.is_file() for file in files)


def run(command: list[str], lock: int) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name in PIP_SETTINGS or name[:4] != "PIP_"}
    environment["PIP_USER"] = "0"  # a configuration file may say otherwise
    return subprocess.run(
        command,
        env=environment,
        cwd=CHECKOUT,
        pass_fds=(lock,),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )


def last_line(text: str) -> str:
    return text.strip().rpartition("\n")[2]


if __name__ == "__main__":
    sys.exit(main())
