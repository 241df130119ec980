"""The kit against the plain tools, as ratios of medians of interleaved pairs in one run.

    .venv/bin/python benchmarks/main_job.py [issue] [hundred] [fresh] [unchanged] [--pairs 7]

Everything runs on an AWS emulator in a temporary work directory. A ratio says more than a time: both sides of a pair
meet the same machine at the same moment.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(CHECKOUT))

from tests.functional.kit import REGION, Kit, emulated
from venue_access.aws.client import AwsClient
from venue_access.aws.sessions import Accounts
from venue_access.emulator.server import aws_emulator
from venue_access.inventory.loader import load_inventory
from venue_access.inventory.model import Venue
from venue_access.inventory.venues import build_venues
from venue_access.provisioning.cli_config import cli_config_environment, terraform_environment

VENUE = "bench-dev"
HUNDRED = ",".join(f"user{number:03}" for number in range(100))
Side = Callable[[], None]


class Bench:
    """An AWS emulator with one venue, and the plain tools pointed at it with the operator's keys."""

    def __init__(self, folder: Path) -> None:
        self.kit = Kit(folder, folder / "work")
        self.kit.write_inventory({VENUE: emulated(VENUE)})
        self.venue: Venue = build_venues(load_inventory(self.kit.inventory))[VENUE]
        self.operator = Accounts([self.venue], self.kit.work_directory).aws(self.venue)
        self.root = self.kit.work_directory / "stacks" / VENUE

    def issue(self) -> tuple[Side, Side]:
        return self._kit("issue-token", "--user", "alice"), self._aws_pair

    def hundred(self) -> tuple[Side, Side]:
        return self._kit("issue-token", "--user", HUNDRED), self._aws_pair

    def fresh(self) -> tuple[Side, Side]:
        def bare() -> None:
            for command in (["init"], ["plan", "-out=bare.tfplan"], ["apply", "bare.tfplan"]):
                self._terraform(*command)

        return self._kit("provision"), bare

    def unchanged(self) -> tuple[Side, Side]:
        return self._kit("provision"), lambda: self._terraform("plan")

    def before_fresh(self, *, bare: bool) -> None:
        """Nothing exists; for the bare tools the root is rendered, but not initialised."""
        self.kit.done("deprovision", "--yes", "--venue", VENUE)
        if bare:
            self.kit.done("provision", "--check")
            shutil.rmtree(self.root / ".terraform")

    def _kit(self, *arguments: str) -> Side:
        """Return a side that starts the program, as a shell does; ``Kit.done`` forks one that has imported the kit."""
        command = [str(Path(sys.executable).with_name("invoke")), *arguments]

        def run() -> None:
            subprocess.run(command, cwd=CHECKOUT, env=self.kit.environment, check=True, capture_output=True)

        return run

    def _aws_pair(self) -> None:
        endpoint = aws_emulator(self.kit.work_directory).endpoint()
        environment = {
            **self.kit.environment,
            **self.operator.credentials().environment(),
            "AWS_ENDPOINT_URL": endpoint.url,
            "AWS_CA_BUNDLE": str(endpoint.ca_file),
            "AWS_DEFAULT_REGION": REGION,
        }
        aws = str(Path(sys.executable).with_name("aws"))
        read = [aws, "ssm", "get-parameter", "--with-decryption", "--query", "Parameter.Value", "--output", "text"]
        name = self.venue.external_id_parameter
        found = subprocess.run([*read, "--name", name], env=environment, check=True, capture_output=True, text=True)
        assume = [aws, "sts", "assume-role", "--role-arn", self.venue.role_arn, "--role-session-name", "alice"]
        external_id = ["--external-id", found.stdout.strip()]
        subprocess.run([*assume, *external_id], env=environment, check=True, capture_output=True)

    def _terraform(self, *arguments: str) -> None:
        bare_terraform(self.root, self.operator, *arguments)


def bare_terraform(root: Path, operator: AwsClient, *arguments: str) -> None:
    """Terraform as a person runs it in a rendered root."""
    found = cli_config_environment(os.environ, Path.home(), CHECKOUT / ".venue-access")
    environment = {
        **terraform_environment({**os.environ, **found}, operator.credentials(), REGION, operator.endpoint),
        "GOGC": "100",  # Go's default: the kit's setting is part of what is measured
    }
    command = [os.environ.get("INVOKE_TERRAFORM", "terraform"), *arguments, "-no-color"]
    subprocess.run(command, cwd=root, env=environment, check=True, capture_output=True)


def seconds(side: Side) -> float:
    began = time.perf_counter()
    side()
    return time.perf_counter() - began


def pairs(bench: Bench, name: str, count: int) -> tuple[list[float], list[float]]:
    ours, theirs = getattr(bench, name)()
    mine: list[float] = []
    others: list[float] = []
    for number in range(count):
        sides = [(ours, mine, False), (theirs, others, True)]
        for side, times, bare in sides if number % 2 else reversed(sides):
            if name == "fresh":
                bench.before_fresh(bare=bare)
            times.append(seconds(side))
    return mine, others


ROWS = {
    "issue": ("issue-token / aws ssm get-parameter + aws sts assume-role", 1, "at most 0.5"),
    "hundred": ("100 such pairs / 100 tokens in one command", 100, "at least 50"),
    "fresh": ("provision, fresh / terraform init, plan, apply", 1, "at most 1.10"),
    "unchanged": ("provision, unchanged / terraform plan", 1, "at most 1.10"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description="the kit against the plain tools")
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"of {', '.join(ROWS)} (default: all)")
    parser.add_argument("--pairs", type=int, default=7)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        try:
            bench.kit.done("provision")
            print(f"{'':58} {'ours':>8} {'theirs':>8} {'ratio':>7}   wanted")
            for name in options.rows or ROWS:
                title, times, wanted = ROWS[name]
                if name == "unchanged":
                    bench.kit.done("provision")
                ours, theirs = (statistics.median(side) for side in pairs(bench, name, options.pairs))
                ratio = theirs * times / ours if times > 1 else ours / theirs
                print(f"{title:58} {ours:7.2f}s {theirs * times:7.2f}s {ratio:7.2f}   {wanted}", flush=True)
        finally:
            aws_emulator(bench.kit.work_directory).down()


if __name__ == "__main__":
    main()
