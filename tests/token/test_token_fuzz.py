"""The fuzz run in its short form: 50,000 inputs; HEADWATER_FUZZ_COUNT and _SEED make it longer."""

import json
import os

from bench.fuzz_cat import run

COUNT = int(os.environ.get("HEADWATER_FUZZ_COUNT", "50000"))
SEED = int(os.environ.get("HEADWATER_FUZZ_SEED", "1"))


def test_nothing_crashes_and_both_verifiers_agree(capsys):
    found = run(COUNT, SEED)
    with capsys.disabled():
        print(json.dumps(found))
    assert found["kernel"] > COUNT / 500
    assert len(found["reasons"]) > 12
