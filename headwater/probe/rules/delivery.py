"""How answers look, and how caches' questions are answered (specs/origin-http.md section 2)."""

import re
from collections.abc import Callable, Iterator

from headwater.probe.model import Breach, Evidence, Exchange, Rule, Trial

EXPOSED = ("content-length", "content-range", "date", "cmsd-static", "cmsd-dynamic")
CMSD_KEYS = frozenset(["at", "br", "d", "ht", "n", "nor", "nrr", "ot", "sf", "st", "su", "v"])
CMSD_MEMBER = re.compile(
    r'([a-z][a-z0-9-]*)(?:=("(?:[^"\\]|\\.)*"|-?[0-9.]+|\(.*?\)|[A-Za-z*][\w:/.*-]*))?'
)
ETAG = re.compile(r'"[\x21\x23-\x7e]*"')
PERSONAL = {"private", "no-store"}  # of one viewer: no cache in between has a use for its age


def answered(
    find: Callable[[Exchange], Iterator[str]],
) -> Callable[[Evidence], Iterator[Breach]]:
    """Judge every answer that came."""

    def breaches(seen: Evidence) -> Iterator[Breach]:
        for answer in seen.exchanges:
            if answer.status:
                for wrong in find(answer):
                    yield Breach(answer.url, 0, wrong)

    return breaches


def tried(
    *kinds: str,
) -> Callable[[Callable[[Trial], Iterator[str]]], Callable[[Evidence], Iterator[Breach]]]:
    """Judge the trials of these kinds."""

    def wrap(find: Callable[[Trial], Iterator[str]]) -> Callable[[Evidence], Iterator[Breach]]:
        def breaches(seen: Evidence) -> Iterator[Breach]:
            for trial in seen.tried(*kinds):
                if trial.answer.status:
                    for wrong in find(trial):
                        yield Breach(trial.answer.url, 0, wrong)

        return breaches

    return wrap


def _census(a: Exchange) -> Iterator[str]:
    if a.status != 200 or a.role == "clock" or a.method != "GET":
        return
    growing = "chunked" in a.headers.get("transfer-encoding", "")
    personal = PERSONAL & set(a.headers.get("cache-control", "").replace(" ", "").split(","))
    validators = [] if growing else ["etag"] if personal else ["etag", "last-modified"]
    wanted = ["date", "cache-control", *validators]
    for name in wanted:
        if name not in a.headers:
            yield f"a 200 without {name}"
    if "etag" in a.headers and not ETAG.fullmatch(a.headers["etag"]):
        yield f"the tag {a.headers['etag'][:40]} is not a strong one"
    if not growing and "content-length" not in a.headers:
        yield "a 200 with neither Content-Length nor chunked coding"
    if a.coded and "accept-encoding" not in a.headers.get("vary", "").lower():
        yield "a compressed answer without Vary: Accept-Encoding"


@tried("again", "since")
def _conditional(t: Trial) -> Iterator[str]:
    if t.answer.status != 304:
        yield f"a conditional request ({t.kind}) with a current validator answers {t.answer.status}"
    elif t.answer.body:
        yield "a 304 with a body"
    elif t.base and t.answer.headers.get("etag") != t.base.headers.get("etag"):
        yield "a 304 with another ETag"


@tried("head")
def _head(t: Trial) -> Iterator[str]:
    assert t.base is not None
    if t.answer.status != t.base.status:
        yield f"HEAD answers {t.answer.status}, GET {t.base.status}"
    if t.answer.body:
        yield "HEAD has a body"
    for name in ("content-type", "etag", "cache-control", "content-length", "last-modified"):
        if t.answer.headers.get(name) != t.base.headers.get(name):
            yield f"HEAD and GET differ in {name}"


@tried("range", "range_suffix", "range_open", "range_past")
def _ranges(t: Trial) -> Iterator[str]:
    assert t.base is not None
    size = len(t.base.body)
    if t.kind == "range_past":
        if t.answer.status != 416 or t.answer.headers.get("content-range") != f"bytes */{size}":
            yield f"a range past the end answers {t.answer.status}, not 416 with */{size}"
        return
    if t.answer.status != 206:
        yield f"a {t.kind} request answers {t.answer.status}, not 206"
        return
    first, last = int(t.asked["first"]), int(t.asked["last"])
    if t.answer.headers.get("content-range") != f"bytes {first}-{last}/{size}":
        yield f"Content-Range {t.answer.headers.get('content-range')} for {first}-{last}/{size}"
    if t.answer.body != t.base.body[first : last + 1]:
        yield "a range answer does not hold the bytes of the whole"


@tried("early")
def _early(t: Trial) -> Iterator[str]:
    if t.answer.status not in (404, 425, 503):
        yield f"a segment far ahead of time answers {t.answer.status}, not 404 or 425"
    if t.answer.max_age_s is None or t.answer.max_age_s > 1:
        yield f"an early {t.answer.status} may be kept {t.answer.max_age_s} s, more than 1 s"
    if t.answer.status == 503 and "retry-after" not in t.answer.headers:
        yield "503 without Retry-After"


@tried("expired")
def _expired(t: Trial) -> Iterator[str]:
    if t.answer.status not in (404, 410):
        yield f"an expired segment answers {t.answer.status}, not 410"
    elif (t.answer.max_age_s or 0) <= 1:
        yield f"an expired segment's {t.answer.status} is kept {t.answer.max_age_s} s only"


@tried("removed")
def _removed(t: Trial) -> Iterator[str]:
    if t.answer.status >= 400:
        yield f"a segment that just left the playlist answers {t.answer.status}"


def _errors(a: Exchange) -> Iterator[str]:
    if a.status >= 400 and a.max_age_s is None:
        yield f"{a.status} without explicit Cache-Control"


def _cookies(a: Exchange) -> Iterator[str]:
    if "set-cookie" in a.headers:
        yield "the answer sets a cookie"


def _kept(a: Exchange) -> Iterator[str]:
    if "close" in a.headers.get("connection", "").lower():
        yield "the connection is closed unasked"


def _cors(a: Exchange) -> Iterator[str]:
    if a.status in (200, 206):
        if a.headers.get("access-control-allow-origin") != "*":
            yield "no Access-Control-Allow-Origin: *"
        shown = a.headers.get("access-control-expose-headers", "").lower()
        hidden = [name for name in EXPOSED if name not in shown] if shown != "*" else []
        if hidden:
            yield f"Access-Control-Expose-Headers lacks {', '.join(hidden)}"


@tried("cmcd")
def _cmcd(t: Trial) -> Iterator[str]:
    assert t.base is not None
    if "cmcd" in t.answer.headers.get("vary", "").lower():
        yield "Vary names CMCD"
    if (t.answer.status, t.answer.headers.get("etag")) != (
        t.base.status,
        t.base.headers.get("etag"),
    ):
        yield "CMCD changes the answer"


@tried("twin")
def _twin(t: Trial) -> Iterator[str]:
    assert t.base is not None
    if (t.answer.status, t.answer.body) != (t.base.status, t.base.body):
        yield f"not the bytes of {t.base.url}"
    for name in ("etag", "last-modified", "cache-control"):
        if t.answer.headers.get(name) != t.base.headers.get(name):
            yield f"{name} is {t.answer.headers.get(name)}, {t.base.headers.get(name)} at the twin"


def _prefetch(seen: Evidence) -> Iterator[Breach]:
    for t in seen.tried("prefetch"):
        if t.answer.status >= 400:
            wrong = f"the object to prefetch answers {t.answer.status}"
            yield Breach(t.answer.url, 0, wrong)


def _cmsd(a: Exchange) -> Iterator[str]:
    text = a.headers.get("cmsd-static")
    if text is None or a.status >= 300:
        return
    for member in re.split(r',(?=(?:[^"]*"[^"]*")*[^"]*$)', text):
        found = CMSD_MEMBER.fullmatch(member.strip())
        if found is None:
            yield f"CMSD-Static holds {member.strip()[:40]}, which is no member"
        elif found[1] not in CMSD_KEYS and "-" not in found[1]:
            yield f"CMSD-Static holds the unknown key {found[1]}"


def _listed(seen: Evidence) -> Iterator[Breach]:
    for a in seen.exchanges:
        if a.role in ("init", "segment", "part") and a.method == "GET":
            if a.status == 0:
                yield Breach(a.url, 0, "a listed URL does not answer")
            elif a.status >= 400:
                yield Breach(a.url, 0, f"a listed URL answers {a.status}")


def _clocks(seen: Evidence) -> Iterator[Breach]:
    for a in seen.exchanges:
        if a.role == "clock" and a.status != 200:
            yield Breach(a.url, 0, f"the time source answers {a.status or 'nothing'}")


def _immutable(seen: Evidence) -> Iterator[Breach]:
    targets = [p.target_s for p in seen.latest()]
    targets += [int(m.seconds("maxSegmentDuration") or 0) for m in seen.mpds]
    least_s = 6 * max(targets, default=0)
    for a in seen.exchanges:
        if a.role in ("segment", "part") and a.status == 200 and a.method == "GET":
            if "chunked" in a.headers.get("transfer-encoding", ""):
                continue
            if a.max_age_s is None or a.max_age_s < least_s:
                wrong = f"finished media may be kept {a.max_age_s} s, less than {least_s} s"
                yield Breach(a.url, 0, wrong)


@tried("growing")
def _growing(t: Trial) -> Iterator[str]:
    if t.answer.status != 200:
        yield f"a segment within its availabilityTimeOffset answers {t.answer.status}, not 200"


@tried("inside")
def _inside(t: Trial) -> Iterator[str]:
    if t.answer.status != 200:
        yield f"a segment inside the window answers {t.answer.status}, not 200"


RULES = (
    Rule("D5", "M", "the time source answers", _clocks),
    Rule("D9", "M", "a segment inside the window is there", _inside),
    Rule("HLS-7", "M", "a segment outlives its listing", _removed),
    Rule("HLS-11", "M", "what is listed can be fetched", _listed),
    Rule("HLS-44", "P", "finished media may be kept long", _immutable),
    Rule("L11", "M", "a segment within its offset is streamed", _growing),
    Rule("O1", "P", "a 200 carries validators and freshness", answered(_census)),
    Rule("O2", "P", "current validators give 304", _conditional),
    Rule("O3", "P", "HEAD is GET without a body", _head),
    Rule("O4", "P", "ranges are answered", _ranges),
    Rule("O5", "P", "too early is 404 or 425, kept a second", _early),
    Rule("O6", "P", "expired is 410, kept longer", _expired),
    Rule("O7", "P", "errors carry freshness", answered(_errors)),
    Rule("O8", "P", "no cookies", answered(_cookies)),
    Rule("O9", "P", "connections stay open", answered(_kept)),
    Rule("O11", "P", "any page may read answers", answered(_cors)),
    Rule("O12", "P", "CMCD changes nothing", _cmcd),
    Rule("O16", "P", "what is to be prefetched is there", _prefetch),
    Rule("O17", "P", "origins fed alike answer alike", _twin),
    Rule("O24", "P", "CMSD-Static holds known keys", answered(_cmsd)),
)
