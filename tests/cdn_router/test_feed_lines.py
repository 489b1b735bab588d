"""Lines of CDN logs in the forms that CDNs send, and in those that nobody should (RT-1)."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdn_router.logs import CLOUDFRONT, MAX_LINE_CHARS, LineError, Reader

AT_MS = 1_700_000_000_000
SAID = {"br": [3200], "ot": "v", "sid": "s1"}
AKAMAI = {
    "version": 1,
    "streamId": "12345",
    "cp": "123456",
    "reqId": "1239f220",
    "reqTimeSec": "1700000000.000",
    "bytes": "1995000",
    "cliIP": "198.51.100.7",
    "statusCode": "206",
    "proto": "HTTPS",
    "reqHost": "a.example",
    "reqMethod": "GET",
    "reqPath": "/live/1.m4s",
    "turnAroundTimeMSec": "11",
    "transferTimeMSec": "125",
    "queryStr": "CMCD=br%3D3200%2Cot%3Dv%2Csid%3D%22s1%22",
    "country": "DE",
    "asnum": "64496",
    "cacheStatus": "1",
    "errorCode": "-",
}
FASTLY = {
    "timestamp": "2023-11-14T22:13:20+0000",
    "client_ip": "198.51.100.7",
    "geo_country": "germany",
    "geo_country_code": "DE",
    "client_as_number": 64496,
    "host": "f.example",
    "url": "/live/1.m4s",
    "request_method": "GET",
    "response_status": 206,
    "response_body_size": 1995000,
    "time_to_first_byte": 0.011,
    "time_elapsed_usec": 136000,
    "fastly_is_edge": True,
    "cmcd_object": "br=3200,ot=v",
    "cmcd_session": 'sid="s1"',
}
TOLD = {
    "timestamp": "1700000000.000",
    "c-ip": "198.51.100.7",
    "time-to-first-byte": "0.011",
    "sc-status": "206",
    "sc-bytes": "1995000",
    "cs-method": "GET",
    "time-taken": "0.136",
    "c-country": "DE",
    "asn": "64496",
}
BY_FIELDS = {"cmcd-encoded-bitrate": "3200", "cmcd-object-type": "v", "cmcd-session-id": "s1"}
BY_QUERY = {"cs-uri-query": "CMCD=br%253D3200%252Cot%253Dv%252Csid%253D%2522s1%2522"}
W3C = (
    "#Version: 1.0",
    "#Fields: date time c-ip cs-method cs-uri-stem sc-status sc-bytes time-to-first-byte"
    " time-taken c-country asn cs(CMCD-Object) cs(CMCD-Session)",
    '2023-11-14 22:13:20 198.51.100.7 GET /live/1.m4s 206 1995000 0.011 0.136 DE 64496 "br=3200,'
    'ot=v" "sid=""s1"""',
)


def columns(values: dict[str, str]) -> str:
    return "\t".join(values.get(name, "-") for name in CLOUDFRONT)


@pytest.mark.parametrize(
    "lines",
    [
        (json.dumps(AKAMAI),),
        (json.dumps(FASTLY),),
        (columns(TOLD | BY_FIELDS),),
        (columns(TOLD | BY_QUERY),),
        W3C,
    ],
    ids=["akamai", "fastly", "cloudfront fields", "cloudfront query", "w3c"],
)
def test_every_form_says_the_same(lines: tuple[str, ...]) -> None:
    reader = Reader()
    *directives, line = [reader.read(each) for each in lines]
    assert not any(directives) and line is not None
    assert line._replace(data={}) == (
        *(AT_MS, "198.51.100.7", 206, "GET", 1_995_000, 11, 136, "DE", 64496, {}),
    )
    assert line.data == SAID and line.rate_kbps == 127_680


def test_a_sender_names_its_fields_and_they_hold_for_its_body() -> None:
    reader = Reader(["timestamp", "SC_Status"])
    line = reader.read("1700000000\t503")
    assert line is not None and (line.at_ms, line.status, line.peer) == (AT_MS, 503, "")
    with pytest.raises(LineError, match="fields"):
        reader.read("1700000000\t503\t1")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("x" * (MAX_LINE_CHARS + 1), "too_long"),
        ("{", "json"),
        ("{" * 9_000, "json"),
        ('{"a":' + "[" * 9_000, "json"),
        (json.dumps({str(at): 1 for at in range(300)}), "json"),
        ("GET / 200", "fields"),
        ('{"time":1700000000}', "status"),
        ('{"time":1700000000,"status":"nan"}', "status"),
        ('{"time":1700000000,"status":-5}', "status"),
        ('{"status":200}', "time"),
        ('{"status":200,"time":"soon"}', "time"),
        ('{"status":200,"time":' + "9" * 4_000 + "}", "time"),
    ],
)
def test_the_useless_is_refused_by_name(text: str, code: str) -> None:
    with pytest.raises(LineError, match=code):
        Reader().read(text)


def test_absurd_amounts_and_broken_sets_are_not_there() -> None:
    told = AKAMAI | {
        "bytes": "1e300",
        "turnAroundTimeMSec": "inf",
        "transferTimeMSec": "-1",
        "country": "<b>",
        "asnum": "AS99999999999",
        "queryStr": "CMCD=%ff",
    }
    line = Reader().read(json.dumps(told))
    assert line is not None
    assert line[4:] == (0, 0, 0, "", None, {}) and line.rate_kbps == 0


@given(st.text(max_size=200) | st.dictionaries(st.text(), st.text() | st.floats()).map(json.dumps))
def test_any_text_is_a_line_a_directive_or_refused(text: str) -> None:
    for prefix in ("", "#Fields:", "{", "1700000000\t"):
        try:
            line = Reader(["time", "status"]).read(prefix + text)
        except LineError as error:
            assert error.code in {"too_long", "json", "fields", "status", "time"}
        else:
            assert line is None or 0 <= line.status <= 999
