"""Many venues against a loop of bare Terraform over as many roots, as ratios of medians in one run.

    .venv/bin/python benchmarks/stacks.py [forty] [four] [drift] [thousand] [--rounds 3]

The loop over forty roots is a sample of five, scaled. Everything runs on an AWS emulator in a temporary work directory.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

CHECKOUT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(CHECKOUT))

from benchmarks.main_job import bare_terraform, seconds
from tests.functional.kit import Kit, emulated
from venue_access.aws.sessions import Accounts
from venue_access.emulator.server import aws_emulator
from venue_access.inventory.loader import load_inventory
from venue_access.inventory.venues import build_venues

SAMPLE, FORTY = 5, 40


class Many:
    """Venues by the dozen: of ours in stacks, and of the bare tools' each in a root of its own."""

    def __init__(self, folder: Path) -> None:
        self.kit = Kit(folder, folder / "work")
        self.hosts: dict[str, dict[str, object]] = {}

    def add(self, prefix: str, count: int, stacks: int | None = None) -> list[str]:
        """``count`` venues in so many stacks, or each its own."""
        names = [f"{prefix}{number:03}-dev" for number in range(count)]
        for number, name in enumerate(names):
            shared = {} if stacks is None else {"stack": f"{prefix}-{number * stacks // count}"}
            self.hosts[name] = emulated(name, **shared)
        self.kit.write_inventory(self.hosts)
        return names

    def bare(self, names: list[str]) -> Callable[[], None]:
        """A loop of ``terraform init`` and ``apply`` over the roots of these venues, which are rendered here."""
        venues = build_venues(load_inventory(self.kit.inventory))
        operator = Accounts(venues.values(), self.kit.work_directory).aws(venues[names[0]])
        self.kit.done("provision", "--check", "--limit", ",".join(names))
        for name in names:
            shutil.rmtree(self._root(name) / ".terraform")

        def loop() -> None:
            for name in names:
                bare_terraform(self._root(name), operator, "init")
                bare_terraform(self._root(name), operator, "apply", "-auto-approve")

        return loop

    def bare_plans(self, names: list[str]) -> Callable[[], None]:
        venues = build_venues(load_inventory(self.kit.inventory))
        operator = Accounts(venues.values(), self.kit.work_directory).aws(venues[names[0]])

        def loop() -> None:
            for name in names:
                bare_terraform(self._root(name), operator, "plan")

        return loop

    def ours(self, *arguments: str) -> Callable[[], None]:
        def run() -> None:
            self.kit.done(*arguments)

        return run

    def _root(self, name: str) -> Path:
        return self.kit.work_directory / "stacks" / name


def forty(many: Many, rounds: int) -> None:
    """Forty venues in one stack, fresh and unchanged; and what each costs beside the first."""
    fresh, unchanged, further = [], [], []
    for number in range(rounds):
        sample = many.add(f"bare{number}x", SAMPLE)
        many.add(f"one{number}x", 1, 1)
        many.add(f"forty{number}x", FORTY, 1)
        loop = seconds(many.bare(sample)) * FORTY / SAMPLE
        single = seconds(many.ours("provision", "--limit", f"one{number}x*"))
        together = seconds(many.ours("provision", "--limit", f"forty{number}x*"))
        again = seconds(many.ours("provision", "--limit", f"forty{number}x*"))
        fresh.append((loop, together))
        further.append((single, (together - single) / (FORTY - 1)))
        unchanged.append((seconds(many.bare_plans(sample)) * FORTY / SAMPLE, again))
    row("a bare loop over 40 roots / 40 venues in one stack, fresh", fresh, "at least 12")
    row("the same unchanged, against plan", unchanged, "at least 15")
    row("the first venue of a stack / each further one", further, "at least 15")


def four(many: Many, rounds: int) -> None:
    """Four stacks side by side."""
    times = []
    for number in range(rounds):
        sample = many.add(f"barefour{number}x", 4)
        many.add(f"four{number}x", 4, 4)
        times.append((seconds(many.bare(sample)), seconds(many.ours("provision", "--limit", f"four{number}x*"))))
    row("a bare loop over 4 roots / 4 stacks, fresh", times, "at least 1.25")


def drift(many: Many, rounds: int) -> None:
    """Drift over two hundred venues in five stacks, and over one."""
    many.add("single", 1, 1)
    many.add("many", 200, 5)
    many.kit.done("provision", "--limit", "single*,many*")
    times = [
        (seconds(many.ours("drift", "--limit", "many*")), seconds(many.ours("drift", "--limit", "single*")))
        for _ in range(rounds)
    ]
    row("drift over 200 venues in 5 stacks / over one", times, "at most 8")


def thousand(many: Many, rounds: int) -> None:
    """A thousand tokens in one command, against the server's own limit: a thousand calls with nothing around them."""
    name = many.add("tokens", 1, 1)[0]
    many.kit.done("provision", "--limit", name)
    users = ",".join(f"user{number:04}" for number in range(1000))
    times = [seconds(many.ours("issue-token", "--venue", name, "--user", users)) for _ in range(rounds)]
    print(f"{'tokens a second, of 1,000 in one command':62} {1000 / median(times):7.0f}/s   at least 100")


def row(title: str, times: Sequence[tuple[float, float]], wanted: str) -> None:
    """The medians of both sides, and their ratio."""
    one, other = (median(side) for side in zip(*times, strict=True))
    print(f"{title:62} {one:7.2f}s {other:7.2f}s {one / other:7.2f}   {wanted}", flush=True)


ROWS = {"forty": forty, "four": four, "drift": drift, "thousand": thousand}


def main() -> None:
    parser = argparse.ArgumentParser(description="many venues against a loop of bare Terraform")
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"of {', '.join(ROWS)} (default: all)")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    for name in options.rows or ROWS:
        with tempfile.TemporaryDirectory() as folder:
            many = Many(Path(folder))
            try:
                ROWS[name](many, options.rounds)
            finally:
                aws_emulator(many.kit.work_directory).down()


if __name__ == "__main__":
    main()
