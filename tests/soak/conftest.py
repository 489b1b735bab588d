"""How long a soak lasts: HEADWATER_SOAK_S seconds of media, two hours being 7200."""

import os

import pytest


@pytest.fixture
def soak_s() -> int:
    return int(os.environ.get("HEADWATER_SOAK_S", "600"))
