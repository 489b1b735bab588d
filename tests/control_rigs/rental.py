"""A title that is rented by uses, within a window once it has begun (CTL-81, CTL-82)."""

from control_api import seed
from control_api.schema import entitlement, rights_window
from runtime.sql import Database


async def rent(database: Database, uses: int) -> None:
    """Rent `cnt_vault` to the demo household for two days a viewing."""
    rental = dict(seed.ROWS[-1][1]) | {
        "id": "ent_rent",
        "source_ref": "rent",
        "package_id": None,
        "content_id": "cnt_vault",
        "max_uses": uses,
        "viewing_s": 172_800,
    }
    window = seed._window("rent", 0, content_id="cnt_vault") | {"licence": "tvod"}
    async with database.write() as connection:
        await connection.execute(entitlement.insert().values(rental))
        await connection.execute(rights_window.insert().values(window))
