"""The edge's regular expressions against the library's, which stand on RE2 (CAT-44)."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cat import ere

CORE = Path(__file__).parents[2] / "edge_scripts" / "core"
SCRIPT = f"""
import readline from 'node:readline';
import ere from '{CORE}/ere.js';
import nfa from '{CORE}/nfa.js';
for await (const line of readline.createInterface({{ input: process.stdin }})) {{
    const [pattern, subject, wanted] = JSON.parse(line);
    const started = process.cpuUsage();
    const answer = ere.read(pattern) === null ? 'ill-formed' : nfa.search(pattern, subject, wanted);
    console.log(JSON.stringify([answer, process.cpuUsage(started).user]));
}}
"""
MOST_US = 1_000_000  # of processor time, where a backtracking engine would need years

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")


class Engine:
    """Node, asked line by line."""

    def __init__(self):
        self.process = subprocess.Popen(
            ["node", "--input-type=module", "-e", SCRIPT],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def ask(self, pattern, subject, wanted=()):
        self.process.stdin.write(json.dumps([pattern, subject, wanted]) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


@pytest.fixture(scope="module")
def engine():
    engine = Engine()
    yield engine
    engine.process.stdin.close()
    engine.process.stdout.close()
    engine.process.wait()


def python(pattern, subject, wanted=()):
    return ere.search(pattern, subject, wanted) if ere.well_formed(pattern) else "ill-formed"


KNOWN = [
    ("live", "/live/one", (), True),
    ("^/live/([a-z]+)/v([0-9]+)$", "/live/one/v12", ("one", "12"), True),
    ("^/live/([a-z]+)/v([0-9]+)$", "/live/one/v12", (None, "13"), False),
    ("(a?)(ab)?", "ab", ("", "ab"), True),  # longest, where a greedy search takes the a
    ("(a|ab)(c|bcd)", "abcd", ("a",), None),  # branches begin alike
    ("(a)|b", "b", ("",), False),  # a group that took no part equals nothing
    ("x", "y", ("z",), False),
    ("(x)", "x", ("x", "y"), False),
    ("[[:digit:]]{2,3}$", "a1234", (), True),
    ("[]a-]+", "-]a", (), True),
    ("[^a]", "\u00e9", (), True),
    ("^.$", "\U0001f600", (), True),
    ("a{0}b", "b", (), True),
    *((bad, "x", (), "ill-formed") for bad in (
        r"\d", "(?=a)", "a*?", "(a)\\1", "a||b", "(", ")", "a{2,1}", "a{256}", "[b-a]", "[[.a.]]",
        "*a", "^*", "[[:x:]]", "a\\", "{1}", "()", "[a",
    )),
]  # fmt: skip


@pytest.mark.parametrize(("pattern", "subject", "wanted", "answer"), KNOWN)
def test_known_answers(engine, pattern, subject, wanted, answer):
    assert engine.ask(pattern, subject, wanted)[0] == answer
    assert python(pattern, subject, wanted) == answer


@pytest.mark.parametrize(
    "pattern", ["(a+)+$", "(a|aa)*b", "(.*)*x", "a*a*a*a*a*a*b", "(a{1,99}){9}b"]
)
def test_no_pattern_takes_long(engine, pattern):
    """E-30, ReDoS: what would take long is not evaluated, and the token refused."""
    answer, spent_us = engine.ask(pattern, "a" * 8192 + "!")
    assert answer in (False, None)
    assert spent_us < MOST_US


ATOMS = st.sampled_from(["a", "b", "c", ".", "[ab]", "[^a]", "^", "$", "\\."])
PATTERNS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map("".join),
        st.lists(inner, min_size=2, max_size=3).map("|".join),
        inner.map(lambda text: f"({text})"),
        st.tuples(inner, st.sampled_from(["*", "+", "?", "{2}", "{1,2}", "{0,}"])).map("".join),
    ),
    max_leaves=6,
)
TEXTS = st.text("abc.", max_size=6)


@settings(max_examples=1500, deadline=None)
@given(PATTERNS, TEXTS, st.lists(st.none() | st.text("abc", max_size=2), max_size=2))
def test_as_the_library_says(engine, pattern, subject, wanted):
    assert engine.ask(pattern, subject, wanted)[0] == python(pattern, subject, wanted)


@settings(max_examples=500, deadline=None)
@given(st.text("ab(){}[]|*+?^$\\:-,1d.", max_size=10))
def test_the_same_patterns_are_ill_formed(engine, pattern):
    found = engine.ask(pattern, "ab")[0]
    assert (found == "ill-formed") == (not ere.well_formed(pattern))
