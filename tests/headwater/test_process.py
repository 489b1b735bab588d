"""How a service is started as a process of its own."""

import os
import subprocess
from pathlib import Path

from headwater.process import command

ROOT = Path(__file__).resolve().parents[2]


def test_folders_beside_the_caller_are_not_imported(tmp_path: Path) -> None:
    """`headwater up --data .` makes a folder `origin` where it stands."""
    for name in ("headwater", "runtime", "origin"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise ImportError('not ours')")
    found = os.pathsep.join(map(str, (ROOT, ROOT / "token")))
    done = subprocess.run(
        command("control", None, None, "--help"),
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": found},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
