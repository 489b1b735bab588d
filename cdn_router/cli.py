"""`headwater cmcd`: what a player sent, line by line (CONTRACT)."""

import sys
from typing import Annotated

import msgspec
import typer

from .cmcd.decode import (
    HEADERS,
    decode_headers,
    decode_line,
    decode_parameter,
    decode_query,
    is_query,
)
from .cmcd.directives import Transport
from .cmcd.errors import CmcdError
from .cmcd.record import Record, plain
from .cmcd.tables import Header, Mode

cmcd_app = typer.Typer(help="Common Media Client Data (CTA-5004-B).", no_args_is_help=True)


@cmcd_app.callback()
def cmcd() -> None:
    """Common Media Client Data (CTA-5004-B)."""


@cmcd_app.command()
def decode(
    mode: Annotated[Mode, typer.Option(help="Which keys may be there.")] = Mode.REQUEST,
    transport: Annotated[Transport, typer.Option(help="How the lines travelled.")] = (
        Transport.QUERY
    ),
) -> None:
    """Lines on stdin to JSON lines; what was tolerated or ignored goes to stderr, key by key.

    A line is: query, a URL, a query string or the value of CMCD; header, one `CMCD-Object: ...`, a
    value alone, or all headers as a JSON object; body, one record. A line that is no CMCD becomes
    {"error": CODE}, and the exit code 1.

    Example: echo 'br=(5000;v),e=t,ts=1,v=2' | headwater cmcd decode --mode event --transport body
    """
    refused = False
    for number, line in enumerate(sys.stdin.buffer, 1):
        try:
            record = _read(line.decode().strip("\r\n"), mode, transport)
        except (CmcdError, UnicodeDecodeError) as error:
            code = error.code if isinstance(error, CmcdError) else "encoding"
            typer.echo(f"line {number}: {error}", err=True)
            typer.echo(msgspec.json.encode({"error": code}))
            refused = True
            continue
        for note in record.notes:
            typer.echo(f"line {number}: {note.code} {note.key}".rstrip(), err=True)
        found = {name: plain(value) for name, value in record.data.items()}
        typer.echo(msgspec.json.encode(found))
    raise typer.Exit(int(refused))


def _read(line: str, mode: Mode, transport: Transport) -> Record:
    if transport is Transport.BODY:
        return decode_line(line, mode)
    if transport is Transport.QUERY:
        if is_query(line):
            return decode_query(line, mode) or Record({})
        return decode_parameter(line, mode)
    return decode_headers(_headers(line), mode) or Record({})


def _headers(line: str) -> dict[str, str]:
    """The headers of a request: a JSON object of them, one as on the wire, or a value alone."""
    if line.startswith("{"):
        try:
            return msgspec.json.decode(line, type=dict[str, str])
        except msgspec.MsgspecError as error:
            raise CmcdError("malformed", str(error)) from None
    name, colon, value = line.partition(":")
    if colon and name.lower() in HEADERS:
        return {name: value.strip()}
    return {Header.REQUEST: line}
