"""A checkout to try scripts/bootstrap in: small packages and releases of its own, no network."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
UNREACHABLE = "http://127.0.0.1:9"


class Checkout:
    """A copy of what bootstrap needs; its packages are two tiny wheels, its Terraform a script that tells a version."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "my checkout"
        self.work = self.path / ".venue-access"
        self.tools = folder / "tools"
        self.home = folder / "home"
        for name in ("scripts", "requirements", "venue_access"):
            shutil.copytree(CHECKOUT / name, self.path / name, ignore=shutil.ignore_patterns("__pycache__"))
        (self.path / "terraform").mkdir()
        shutil.copy(CHECKOUT / "terraform" / ".terraform.lock.hcl", self.path / "terraform")
        wheels = folder / "wheels"
        for made in (wheels, self.tools, self.home):
            made.mkdir()
        for layer in ("build", "runtime", "emulator", "dev"):
            wheel = a_wheel(wheels, f"tiny_{layer}")
            self.lock(layer, f"tiny-{layer}==1.0 --hash=sha256:{digest(wheel)}\n")
        (self.tools / "dirname").symlink_to(str(shutil.which("dirname")))
        self.have_terraform("1.11.4")
        self.environment = {
            # The Python of the tests' own virtual environment: a foreign one, active.
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{self.tools}",
            "VIRTUAL_ENV": sys.prefix,
            "HOME": str(self.home),
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(wheels),
            "PIP_CONFIG_FILE": os.devnull,
            "VENUE_ACCESS_TERRAFORM_MIRROR": UNREACHABLE,
        }

    def lock(self, layer: str, text: str) -> None:
        (self.path / "requirements" / f"{layer}.txt").write_text(text)

    def have_terraform(self, version: str | None) -> None:
        """Have the PATH's Terraform tell this version; None is none at all."""
        program = self.tools / "terraform"
        if version is None:
            program.unlink()
        else:
            program.write_text(f"#!/bin/sh\necho 'Terraform v{version}'\n")
            program.chmod(0o755)

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [str(self.path / "scripts" / "bootstrap"), *arguments],
            env={**self.environment, **environment},
            cwd="/",
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def bootstrap(self, *arguments: str, **environment: str) -> tuple[int, str]:
        """Its exit code and what it said; nothing of it is ever a result."""
        process = self.start(*arguments, **environment)
        out, said = process.communicate(timeout=60)
        assert out == ""
        return process.returncode, said

    def imports(self, module: str) -> bool:
        python = self.path / ".venv" / "bin" / "python"
        return (
            subprocess.run([python, "-c", f"import {module}"], stderr=subprocess.DEVNULL, check=False).returncode == 0
        )


def a_wheel(folder: Path, name: str) -> Path:
    """A wheel with one empty module."""
    info = f"{name}-1.0.dist-info"
    files = {
        f"{name}.py": "",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = [
        f"{file},sha256={base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip('=')},{len(text)}"
        for file, text in files.items()
    ]
    path = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for file, text in files.items():
            wheel.writestr(file, text)
        wheel.writestr(f"{info}/RECORD", "\n".join([*record, f"{info}/RECORD,,", ""]))
    return path


def digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
