"""What changes a household's limits, PINs and profiles takes its PIN (CTL-77)."""

from typing import Any

import pytest
from sqlalchemy import select, update

from control_api import sessions
from control_api.schema import content
from control_api.viewers.schema import profile
from runtime.store import MemoryStore

PROFILES, START = "/v1/profiles", "/v1/playback/start"
MERGE = {"Content-Type": "application/merge-patch+json"}
GROWN_PIN, CHILD_PIN = "1357", "0000"


class Family:
    """Ada with a PIN, Eve without one, Bo who is a child; a film from 18."""

    def __init__(self, api: Any) -> None:
        self.api = api
        self.ids: dict[str, str] = {}

    async def ask(self, method: str, whose: str, body: Any = None, pin: str | None = None) -> str:
        """`ok` or the problem's code; the PIN comes in the header for DELETE, else in the body."""
        path = f"{PROFILES}/{self.ids[whose]}" if whose else PROFILES
        headers = self.api.bearer(now_s=self.api.wheel.now_ms() // 1_000)
        headers |= MERGE if method == "PATCH" else {}
        if pin is not None and method == "DELETE":
            headers["Parental-Pin"] = pin
        elif pin is not None:
            body = body | {"current_pin": pin}
        status, told = await self.api.send(method, path, body, headers=headers)
        if method == "POST" and status == 201:
            self.ids[body["name"]] = told["id"]
        return "ok" if status < 300 else str(told["code"])

    async def start(self, whose: str, pin: str) -> str:
        headers = self.api.bearer(now_s=self.api.wheel.now_ms() // 1_000)
        body = {"content_id": "cnt_film", "device": {"id": "one"}, "pin": pin}
        body["profile_id"] = self.ids[whose]
        status, told = await self.api.send("POST", START, body, headers=headers)
        return "ok" if status == 201 else str(told["code"])

    async def rows(self) -> Any:
        async with self.api.database.read() as connection:
            query = select(profile.c["id", "name", "kind", "max_rating", "pin_hash", "lang"])
            return (await connection.execute(query.order_by(profile.c.id))).all()


@pytest.fixture
async def free(kept: Any, make_api: Any, wheel: Any) -> Any:
    """The family before anybody thought of a PIN."""
    api = await make_api(kept, store=MemoryStore(clock=wheel))
    api.wheel = wheel
    async with kept.write() as connection:
        film = update(content).where(content.c.id == "cnt_film")
        await connection.execute(film.values(rating="FSK-18"))
    family = Family(api)
    for told in ({"name": "Ada"}, {"name": "Eve"}, {"name": "Bo", "kind": "kids"}):
        assert await family.ask("POST", "", told) == "ok"
    return family


@pytest.fixture
async def family(free: Any) -> Any:
    assert await free.ask("PATCH", "Ada", {"pin": GROWN_PIN}) == "ok"
    return free


CHANGES = (
    ("PATCH", "Bo", {"pin": CHILD_PIN}),
    ("PATCH", "Bo", {"pin": None, "name": "Bob"}),
    ("PATCH", "Bo", {"max_rating": "18"}),
    ("PATCH", "Bo", {"max_rating": None}),
    ("PATCH", "Bo", {"kind": "adult"}),
    ("PATCH", "Eve", {"kind": "kids"}),
    ("PATCH", "Eve", {"pin": CHILD_PIN}),
    ("PATCH", "Ada", {"pin": None}),
    ("POST", "", {"name": "New"}),
    ("POST", "", {"name": "Known", "kind": "kids", "pin": CHILD_PIN}),
    ("DELETE", "Eve", None),
    ("DELETE", "Bo", None),
    ("DELETE", "Ada", None),
)


async def test_whatever_changes_a_household_with_a_pin_takes_it(family: Any) -> None:
    """Nothing is changed without it, nor with a wrong one, whichever way is tried."""
    before = await family.rows()
    for method, whose, body in CHANGES:
        assert await family.ask(method, whose, body) == "pin_required", (method, whose, body)
        assert await family.ask(method, whose, body, CHILD_PIN) == "pin_wrong", (method, whose)
        assert await family.ask("PATCH", "Ada", {}, GROWN_PIN) == "ok", "counts anew"
    assert await family.rows() == before
    assert await family.start("Bo", CHILD_PIN) == "pin_wrong"
    assert await family.ask("PATCH", "Bo", {"name": "Bo B", "lang": "sv"}) == "ok", "no limits"
    for method, whose, body in CHANGES[:7] + CHANGES[8:]:
        assert await family.ask(method, whose, body, GROWN_PIN) == "ok", (method, whose, body)
    assert await family.ask("DELETE", "New") == "pin_required", "a child's PIN is one too"


async def test_a_limited_profile_s_pin_passes_its_limit_and_does_not_lift_it(family: Any) -> None:
    assert await family.ask("PATCH", "Bo", {"pin": CHILD_PIN}, GROWN_PIN) == "ok"
    assert await family.start("Bo", CHILD_PIN) == "ok"
    assert await family.ask("PATCH", "Bo", {"name": "Bob"}) == "pin_required"
    assert await family.ask("PATCH", "Bo", {"name": "Bob"}, CHILD_PIN) == "ok"
    before = await family.rows()
    for method, whose, body in CHANGES[:4]:
        assert await family.ask(method, whose, body, CHILD_PIN) == "pin_wrong", (method, whose)
    assert await family.rows() == before
    assert await family.ask("DELETE", "Bo", None, CHILD_PIN) == "pin_wrong"


async def test_tries_at_changes_lock_the_pin_for_every_door(family: Any) -> None:
    """Five in fifteen minutes, however they are spread; the right one is refused then as well."""
    tries = (
        ("POST", "", {"name": "x"}),
        ("PATCH", "Bo", {"kind": "adult"}),
        ("DELETE", "Bo", None),
    )
    for method, whose, body in (*tries, *tries[:2]):
        assert await family.ask(method, whose, body, CHILD_PIN) == "pin_wrong"
    for method, whose, body in tries:
        assert await family.ask(method, whose, body, GROWN_PIN) == "pin_locked"
    assert await family.start("Bo", GROWN_PIN) == "pin_locked"
    family.api.wheel.advance(900)
    assert await family.ask("DELETE", "Bo", None, "12") == "invalid"
    assert await family.ask("DELETE", "Bo", None, GROWN_PIN) == "ok"


async def test_a_household_without_a_pin_is_free_and_no_pin_locks_it_out(free: Any) -> None:
    """The least limited profile's PIN is the household's; a grown-up answers for itself."""
    for method, whose, body in (
        *CHANGES[2:5],
        ("DELETE", "Eve", None),
        ("POST", "", {"name": "Eve"}),
    ):
        assert await free.ask(method, whose, body) == "ok"
    assert await free.ask("PATCH", "Bo", {"kind": "kids", "pin": CHILD_PIN}) == "ok"
    assert await free.ask("PATCH", "Ada", {"pin": GROWN_PIN}) == "pin_required"
    assert await free.ask("PATCH", "Ada", {"pin": GROWN_PIN}, CHILD_PIN) == "ok", "the only one"
    assert await free.ask("PATCH", "Bo", {"max_rating": "12"}, CHILD_PIN) == "pin_wrong"
    assert await free.ask("PATCH", "Eve", {"pin": "2468"}, GROWN_PIN) == "ok"
    assert await free.ask("PATCH", "Eve", {"pin": "8642"}, "2468") == "ok", "her own"
    assert await free.ask("DELETE", "Bo", None, "8642") == "pin_wrong", "Ada's is the older one"


async def test_a_pin_that_comes_meanwhile_counts(
    free: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look at the household and the change somebody gave it a PIN."""
    lock, before = sessions.lock, await free.rows()

    async def late(connection: Any, account_id: str) -> Any:
        ada = update(profile).where(profile.c.id == free.ids["Ada"])
        await connection.execute(ada.values(pin_hash="$argon2id$"))
        return await lock(connection, account_id)

    monkeypatch.setattr(sessions, "lock", late)
    for method, whose, body in (("PATCH", "Bo", {"pin": "0000"}), ("DELETE", "Bo", None)):
        assert await free.ask(method, whose, body) == "pin_required"
    monkeypatch.undo()
    assert await free.rows() == before
