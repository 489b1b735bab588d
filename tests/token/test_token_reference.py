"""docs/tokens.md says what the tables say."""

import re
from pathlib import Path

from cat import reference
from cat.shapes import SHAPES
from cat.tables import CLAIMS, REASONS

PAGE = Path(__file__).parents[2] / "docs" / "tokens.md"


def test_the_page_is_current():
    assert PAGE.read_text() == reference.page()


def test_every_claim_and_reason_has_a_row():
    text = PAGE.read_text()
    for claim in CLAIMS:
        assert re.search(rf"^\| {claim.name} \| {claim.label} \| all \|", text, re.MULTILINE)
    for code in REASONS:
        assert re.search(rf"^\| {code} \| \d+ \|", text, re.MULTILINE)


def test_forms_are_those_of_the_shapes():
    assert SHAPES.keys() - reference.FORMS.keys() == {"fingerprint"}
    assert reference.FORMS.keys() <= SHAPES.keys()
