"""How long a command waits for an inventory of a thousand venues, next to ``ansible-inventory --list`` on the same.

Each is a process of its own, as a user runs it; ours also checks every venue and applies a limit. The runs alternate,
and the table shows the medians and the median of the ratios of each pair.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

OURS = """
import sys
from pathlib import Path
from venue_access.inventory.loader import load_inventory
from venue_access.inventory.patterns import limit
from venue_access.inventory.venues import build_venues
inventory = load_inventory(Path(sys.argv[1]))
venues = build_venues(inventory)
assert len(venues) == int(sys.argv[2])
assert len(limit(inventory, "*-01,project1:&*-0*:!*-09").hosts) > 0
"""
VENUES_EACH = 20


def write_inventory(folder: Path, venues: int) -> None:
    """An inventory of ``venues`` venues in groups of twenty, with a file in group_vars for each group, and one in
    host_vars for each venue.
    """
    for name in ("group_vars", "host_vars"):
        (folder / name).mkdir()
    lines = ["all:", "  children:"]
    for project in range(venues // VENUES_EACH):
        lines += [f"    project{project}:", "      hosts:", f"        project{project}-[01:{VENUES_EACH:02}]:"]
        account = f"{project:012}"
        (folder / "group_vars" / f"project{project}.yml").write_text(
            f'project: project{project}\naccount_id: "{account}"\n'
            f"trusted_principals: [arn:aws:iam::{account}:role/operator]\n"
            "users:\n  alice: {email: alice@example.org}\n  bob: {email: bob@example.org}\n"
        )
        for venue in range(1, VENUES_EACH + 1):
            name = f"project{project}-{venue:02}"
            (folder / "host_vars" / f"{name}.yml").write_text(f"s3_buckets: [{name}-data]\ns3_allow_delete: true\n")
    (folder / "group_vars/all.yml").write_text("region: us-west-2\ntags: {Owner: operations}\nuse: benchmark\n")
    (folder / "hosts.yml").write_text("\n".join(lines) + "\n")


def seconds(command: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--venues", type=int, default=1000, help="how many, a multiple of 20")
    parser.add_argument("--pairs", type=int, default=7, help="how many runs of each")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_inventory(folder, options.venues)
        ours = [sys.executable, "-c", OURS, str(folder), str(options.venues)]
        theirs = [str(Path(sys.executable).with_name("ansible-inventory")), "-i", str(folder), "--list"]
        pairs = [(seconds(ours), seconds(theirs)) for _ in range(options.pairs)]
    print(f"{options.venues} venues, {options.pairs} pairs          median    fastest")
    for what, times in zip(("load, check, limit", "ansible-inventory"), zip(*pairs, strict=True), strict=True):
        print(f"{what:<28}{median(times):8.2f} s {min(times):8.2f} s")
    print(f"{'ratio':<28}{median(mine / his for mine, his in pairs):8.3f}")


if __name__ == "__main__":
    main()
