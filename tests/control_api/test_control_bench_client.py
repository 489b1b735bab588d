"""The Locust user of the control API against a real one."""

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest

from control_api.schema import playback_session
from runtime.sql import Database

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
async def file_database(tmp_path: Path) -> Any:
    async with Database(f"sqlite:///{tmp_path / 'locust.sqlite'}", timeout_ms=10_000) as database:
        yield database


async def test_a_household_plays_an_evening_without_failures(
    file_database: Any, make_api: Any
) -> None:
    api = await make_api(file_database)
    command = [
        *(sys.executable, "-m", "locust", "-f", str(ROOT / "bench/locustfile.py")),
        *("--headless", "-u", "2", "-r", "2", "--host", api.url, "--only-summary"),
        *("--stop-timeout", "30", "-t", "2s", "--exit-code-on-error", "1", "ControlClient"),
    ]
    locust = await asyncio.create_subprocess_exec(
        *command, cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    told, _ = await asyncio.wait_for(locust.communicate(), 100)
    assert locust.returncode == 0, told.decode()
    async with file_database.read() as connection:
        rows = (await connection.execute(playback_session.select())).all()
    assert rows and all(row.ended_ms is not None for row in rows), told.decode()
