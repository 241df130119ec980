"""A stack's root on disk: only what is rendered is in it."""

from __future__ import annotations

from pathlib import Path

from venue_access.provisioning.root_module import remove_others


def test_files_that_are_not_rendered_are_removed(tmp_path: Path) -> None:
    module = tmp_path / "modules" / "venue_access"
    module.mkdir(parents=True)
    rendered = ["main.tf", "stack.auto.tfvars.json", "modules/venue_access/main.tf"]
    kept = [*rendered, "terraform.tfstate", ".terraform.lock.hcl", ".initialised"]
    planted = ["imports.tf", "x.tf.json", "x.tofu", "terraform.tfvars", "old.auto.tfvars", "modules/venue_access/x.tf"]
    for name in [*kept, *planted]:
        (tmp_path / name).touch()
    remove_others(tmp_path, rendered)
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert left == set(kept)
