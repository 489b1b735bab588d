"""One service as a process, started by a supervisor: `python -m headwater.process NAME`.

The `headwater` command knows every room's commands; this imports the one room that runs.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from headwater import services
from runtime.settings import SettingsError

EXIT_USAGE = 2


def command(name: str, config: Path | None, data: Path | None, *more: str) -> Sequence[str]:
    """How to start a service; `name` is a builder's, with an instance after a colon if it has.

    `-P`: a folder of data called `origin` beside the caller is no package of ours.
    """
    options = [
        *(["--config", str(config)] if config else []),
        *(["--data", str(data)] if data else []),
    ]
    return [sys.executable, "-P", "-m", "headwater.process", name, *options, *more]


def main() -> int:
    parser = argparse.ArgumentParser(prog="headwater.process")
    parser.add_argument("name")
    parser.add_argument("--config", type=Path)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--worker", type=Path, help="socket of this worker's admin routes")
    said = parser.parse_args()
    try:
        return services.run(said.name, said.config, said.data, said.worker)
    except SettingsError as error:
        print(f"headwater: {error}", file=sys.stderr)
        return EXIT_USAGE


if __name__ == "__main__":
    sys.exit(main())
