"""`headwater epg import`: report, mapping and exit codes (CONTRACT)."""

import asyncio
import gzip
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from typer.testing import CliRunner

from control_api import seed
from control_api.cli import epg_app
from control_api.issuer import Passwords
from control_api.migrations import LOCATION
from runtime.sql import Database

GOOD = (
    b"<tv><channel id='x=1'/><programme channel='x=1' start='2030010100' stop='2030010101'>"
    b"<title>T</title></programme></tv>"
)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    async def plant() -> None:
        async with Database.embedded(tmp_path) as database:
            await database.upgrade(LOCATION)
            await seed.plant(database, Passwords(), "one")

    asyncio.run(plant())
    return tmp_path


def call(home: Path, *args: str) -> Any:
    app = epg_app(lambda config, data: Database.embedded(data or home))
    return CliRunner().invoke(app, ["import", *args, "--data", str(home)])


def test_report_and_second_run(home: Path) -> None:
    file = home / "g.xml.gz"
    file.write_bytes(gzip.compress(GOOD))
    first = call(home, str(file), "--map", "x=1=demo", "--tz", "Europe/London")
    assert first.exit_code == 0, first.output
    printed = json.loads(first.stdout)
    assert (printed["state"], printed["report"]["created"]) == ("applied", 1)
    again = json.loads(call(home, str(file)).stdout)
    assert again["report"]["unchanged"] == 1, "the mapping is kept"


def test_exit_codes(home: Path) -> None:
    good, cut = home / "g.xml", home / "cut.xml"
    good.write_bytes(GOOD)
    cut.write_bytes(GOOD[:-2])
    for args, code, words in (
        ((str(good),), 1, "--map"),
        ((str(cut),), 1, "not well-formed"),
        ((str(good), "--map", "x=1=nowhere"), 1, "no channel nowhere"),
        ((str(good), "--map", "x"), 2, "XMLTV_ID=SLUG"),
        ((str(good), "--tz", "Mars"), 2, "--tz"),
        ((str(good), "--source", "a b"), 2, "--source"),
        ((str(home / "none.xml"),), 2, "No such file"),
        (("http://127.0.0.1:9/g.xml",), 3, "could not be fetched"),
    ):
        result = call(home, *args)
        assert result.exit_code == code, (args, result.output)
        assert words in result.stderr and result.stderr.count("\n") == 1


@pytest.fixture
def served() -> Iterator[str]:
    class Guide(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/g.xml" else 404)
            self.send_header("Content-Length", str(len(GOOD)))
            self.end_headers()
            self.wfile.write(GOOD)

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    server = HTTPServer(("127.0.0.1", 0), Guide)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_url(home: Path, served: str) -> None:
    """CTL-61: what is not there is a failure and changes nothing."""
    result = call(home, f"{served}/g.xml", "--map", "x=1=demo")
    assert result.exit_code == 0, result.output
    missing = call(home, f"{served}/none.xml")
    assert (missing.exit_code, "status 404" in missing.stderr) == (3, True)
