"""What the shell functions add to a shell's start, and what credential_process takes from its cache, as ratios.

python benchmarks/shells.py; the AWS emulator is started, and the first venue of the local inventory provisioned.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
BIN = CHECKOUT / ".venv" / "bin"
PAIRS = 40


def seconds(command: Sequence[str], environment: Mapping[str, str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began


def row(name: str, ours: Sequence[str], base: Sequence[str], environment: Mapping[str, str]) -> None:
    """Both in turn, and the median of the ratios."""
    ratios = [seconds(ours, environment) / seconds(base, environment) for _ in range(PAIRS)]
    print(f"{name:<42} {statistics.median(ratios):.2f}")


def main() -> int:
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "HOME": home, "XDG_CACHE_HOME": home}
        sh, fish = CHECKOUT / "scripts" / "venue-access.sh", CHECKOUT / "scripts" / "venue-access.fish"
        for shell, bare, file in (("bash", "--norc", sh), ("zsh", "-f", sh), ("fish", "-N", fish)):
            row(
                f"{shell}, with the functions",
                [shell, bare, "-c", f"source {file}"],
                [shell, bare, "-c", ":"],
                environment,
            )
        subprocess.run([BIN / "invoke", "provision", "--venue", "unity-dev"], cwd=CHECKOUT, check=True)
        asking = [str(BIN / "venue-access-credentials"), "--venue", "unity-dev"]
        seconds(asking, environment)
        row("credential_process, from its cache", asking, [str(BIN / "python"), "-c", "pass"], environment)
    return 0


if __name__ == "__main__":
    sys.exit(main())
