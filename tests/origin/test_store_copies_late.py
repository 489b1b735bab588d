"""Objects of private copies that a store took after it had been given up on (CTL-127)."""

from pathlib import Path
from typing import Any

import pytest
from origin_rigs.copies_rig import CopiesRig, copied

from origin.live.copying import LATE_S, Copier
from runtime.objects import ObjectError

LATE = "copies/a/v/late"


class Times:
    """Seconds, as they are set."""

    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
async def rig(tmp_path: Path, video_media: Any) -> CopiesRig:
    return await copied(tmp_path, video_media)


async def names(rig: CopiesRig) -> list[str]:
    return [each.name for each in await rig.archive.store.find("copies/a/")]


async def let_go(rig: CopiesRig, times: Times) -> Copier:
    """The copy is deleted; then an object of it arrives."""
    copier = Copier(rig.archive, rig.settings, rig.channels, clock=times)
    rig.channels.recordings.remove("a")
    await copier.work()
    assert await names(rig) == []
    await rig.archive.store.put(LATE, b"late")
    return copier


async def test_what_comes_after_all_is_deleted(
    rig: CopiesRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = Times()
    copier = await let_go(rig, times)
    await copier.work()
    assert await names(rig) == [LATE]
    times.now_s = LATE_S

    async def refusing(_: str) -> None:
        raise ObjectError("unavailable", "away")

    with monkeypatch.context() as away:
        away.setattr(rig.archive.store, "delete", refusing)
        with pytest.raises(ObjectError):
            await copier.work()
    await copier.work()
    assert await names(rig) == [] and copier._late == {}
    rig.channels.close()


async def test_a_copy_of_the_name_that_was_begun_meanwhile_stays(rig: CopiesRig) -> None:
    times = Times()
    copier = await let_go(rig, times)
    rig.record("a")
    await copier.work()
    times.now_s = 2 * LATE_S
    await copier.work()
    assert rig.facts("a").state == "complete" and await rig.whole("a")
    assert LATE not in await names(rig)
    rig.channels.close()
