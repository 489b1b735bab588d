"""Every bench there is, one after the other: JSON lines on stdout (CONTRACT)."""

import subprocess
import sys
from pathlib import Path

status = 0
for path in sorted(Path(__file__).parent.glob("bench_*.py")):
    done = subprocess.run([sys.executable, "-m", f"bench.{path.stem}", "--json"], check=False)
    status = status or done.returncode
sys.exit(status)
