"""Refuses a change of the contracts that would break a client: `python -m protos.breaking`.

The base is the newest release tag (`v*`) or, before the first release, the commit before the last
change: HEAD while protos are edited, else HEAD's parent. `WRTN_BREAKING_AGAINST` names another.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from protos.build import OUT, ROOT, imports, run


def main() -> None:
    """Compares the contracts with the base; exits with buf's code."""
    base = base_revision()
    if base is None:
        print("buf breaking: nothing to compare with yet")
        return
    with tempfile.TemporaryDirectory() as folder:
        against = descriptors_of(base, Path(folder))
        if against is None:
            print(f"buf breaking: no protos at {base}")
            return
        command = [
            "buf",
            "breaking",
            str(OUT / "descriptors.binpb"),
            "--against",
            str(against),
            "--config",
            "buf.yaml",
        ]
        sys.exit(subprocess.run(command, cwd=ROOT, check=False).returncode)


def base_revision() -> str | None:
    """Answers the revision to compare with, or None in a repository without history."""
    if named := os.environ.get("WRTN_BREAKING_AGAINST"):
        return named
    if tag := git("describe", "--tags", "--abbrev=0", "--match", "v*"):
        return tag
    edited = git("status", "--porcelain", "--", "protos/wrtn")
    return git("rev-parse", "--verify", "--quiet", "HEAD" if edited else "HEAD~1")


def descriptors_of(revision: str, folder: Path) -> Path | None:
    """Writes the descriptor set of the protos at a revision; None if it has none."""
    archive = subprocess.run(
        ["git", "archive", revision, "protos/wrtn"], cwd=ROOT, capture_output=True, check=False
    )
    if archive.returncode != 0:
        return None
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as tar:
        # Python knows this filter since 3.11.4.
        tar.extraction_filter = getattr(tarfile, "data_filter", None)
        tar.extractall(folder)  # noqa: S202 - the archive is git's own
    protos = folder / "protos"
    bundle, out = folder / "imports.binpb", folder / "descriptors.binpb"
    bundle.write_bytes(imports().SerializeToString())
    names = [str(path.relative_to(protos)) for path in sorted(protos.rglob("*.proto"))]
    run(
        [
            f"-I{protos}",
            f"--descriptor_set_in={bundle}",
            f"--descriptor_set_out={out}",
            "--include_imports",
            *names,
        ]
    )
    return out


def git(*arguments: str) -> str | None:
    """Answers what git prints, or None if it fails or prints nothing."""
    result = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return result.stdout.strip() or None if result.returncode == 0 else None


if __name__ == "__main__":
    main()
