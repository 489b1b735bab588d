"""The films of the probe's world, for a live source that costs nearly nothing."""

import pytest
from probe.conftest import AUDIO, VIDEO
from probe.world import Film, film


@pytest.fixture(scope="session")
def films(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Film]:
    folder = tmp_path_factory.mktemp("films")
    picture, sound = film(folder, "v", VIDEO), film(folder, "a", AUDIO)
    return {"v1": picture, "v2": picture, "a1": sound}
