"""What peers of the delivery port may do is a setting (HT-127, HT-152)."""

import pytest
from pydantic import ValidationError

from origin.server import limits
from origin.settings import Settings


def test_caps_and_fronts_reach_the_protocol() -> None:
    told = limits(
        Settings.model_validate(
            {"per_address": 0, "trusted": ["203.0.113.0/24"], "proxy_from": ["2001:db8::/32"]}
        )
    )
    assert (told.per_address, told.trusted, told.proxy_from) == (
        0,
        ("203.0.113.0/24",),
        ("2001:db8::/32",),
    )


@pytest.mark.parametrize("wrong", [{"per_address": -1}, {"trusted": ["203.0.113.7/24"]}])
def test_wrong_ones_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Settings.model_validate(wrong)
