"""What one request costs a CloudFront function, in njs instructions.

Neither njs nor CloudFront counts instructions at run time, and CloudFront publishes no budget: it
shows a share of one, and by its guide a function has to end within a millisecond. So a loop of
known bytecode (`njs -d`) tells how long an instruction takes on this machine, and the budget is
what the loop does in BUDGET_US. The function's time is the difference of two runs, without njs's
own start, less that of a function that only lets the platform do the same work (look-ups in the
store, `cf.cwt`): CloudFront does that in native code, our stand-in in JavaScript. Calls of the
language into C (regexes, JSON) count as the instructions that fit into their time. Noise of the
machine cancels: all run side by side, and the least of some rounds counts.
"""

import resource
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from headwater.edge import Bundle
from headwater.edge.stand_ins import run

BUDGET_US: Final = 1_000
LOOPS: Final = (500_000, 3_500_000)
LOOP_INSTRUCTIONS: Final = 5  # ADD, BINARY AND, POST INC, LESS, JUMP IF TRUE
REQUESTS: Final = (100, 900)
ROUNDS: Final = 3
_LOOP: Final = """\
function spin(count) {
    let sum = 0;
    for (let i = 0; i < count; i++) { sum = sum + i & 65535; }
    return sum;
}
spin(%d);
"""
_PLATFORM: Final = b"""\
import cf from 'cloudfront';
const store = cf.kvs();
async function handler(happening) {
    const held = await store.get('keys'), keys = JSON.parse(held);
    const token = Buffer.from(happening.request.rawQueryString().slice(4), 'base64url');
    cf.cwt.validateToken(token, { key: Buffer.from(keys[0].k, 'base64url') });
    await store.exists('mode');
    await store.exists('revoked-kid:' + keys[0].kid);
    return happening.request;
}
"""


class Cost(NamedTuple):
    """Of one request: instructions, and their share of the budget."""

    instructions: float
    percent: float


def cost(bundle: Bundle, case: Mapping[str, Any], sources: Path) -> Cost:
    """`case` as the stand-ins take it, its token as `CAT=` the whole query."""
    platform = Bundle("platform", _PLATFORM, bundle.limit_bytes, ())
    instruction_us = min(_instruction_us() for _ in range(ROUNDS))
    whole, theirs = (
        min(_request_us(each, case, sources) for _ in range(ROUNDS)) for each in (bundle, platform)
    )
    ours_us = max(whole - theirs, 0.0)
    return Cost(ours_us / instruction_us, 100 * ours_us / BUDGET_US)


def _instruction_us() -> float:
    with tempfile.TemporaryDirectory() as folder:
        spent = []
        for count in LOOPS:
            script = Path(folder) / "loop.js"
            script.write_text(_LOOP % count)
            before = _children_us()
            subprocess.run(["njs", "-q", str(script)], check=True, stdout=subprocess.DEVNULL)
            spent.append(_children_us() - before)
    return (spent[1] - spent[0]) / (LOOPS[1] - LOOPS[0]) / LOOP_INSTRUCTIONS


def _request_us(bundle: Bundle, case: Mapping[str, Any], sources: Path) -> float:
    spent = []
    for count in REQUESTS:
        before = _children_us()
        run("cloudfront", bundle, [case] * count, sources)
        spent.append(_children_us() - before)
    return (spent[1] - spent[0]) / (REQUESTS[1] - REQUESTS[0])


def _children_us() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (used.ru_utime + used.ru_stime) * 1e6
