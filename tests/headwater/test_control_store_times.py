"""The store counts sessions by the times that `control` is set to (CTL-102)."""

import asyncio
from pathlib import Path

from headwater.services import BUILDERS
from headwater.settings import effective
from runtime.store import MemoryStore


async def test_a_session_unseen_for_the_ttl_of_the_settings_counts_no_more(tmp_path: Path) -> None:
    config = tmp_path / "headwater.toml"
    config.write_text("[control]\nsession_ttl_s = 1\n")
    parts, _ = BUILDERS["control"](effective(config, tmp_path), "", False)
    (store,) = [part for part in parts if isinstance(part, MemoryStore)]

    async def admitted(session: str) -> bool:
        done = await store.admit("acc", session, device=session, detail=b"", limit=1, terminate=())
        return done.admitted

    await store.start()
    assert await admitted("ses_1")
    async with asyncio.timeout(60):
        while not await admitted("ses_2"):
            await asyncio.sleep(0.05)
    await store.stop()
