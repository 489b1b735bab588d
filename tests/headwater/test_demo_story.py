"""The strip's story from what services say, silent ones included."""

from headwater.demo.story import Answers, tell

UP = {"id": "CDN-A", "health": "up", "why": ""}
OUT = {"id": "CDN-A", "health": "out", "why": "3 probes failed in 3 s"}
EDGE = {"hits": 3, "misses": 1, "mode": "ok"}


def edge_box(edge: object, pathway: object) -> dict[str, str]:
    answers = Answers({}, [pathway], edges={"CDN-A": edge})  # type: ignore[list-item,dict-item]
    box: dict[str, str] = tell(answers)["edges"]["CDN-A"]
    return box


def test_a_well_edge_shows_its_hit_ratio() -> None:
    assert edge_box(EDGE, UP) == {
        "state": "ok", "value": "75 % hits", "note": "router: up", "mode": "ok",
    }  # fmt: skip


def test_an_edge_that_the_router_left_says_why() -> None:
    box = edge_box(EDGE | {"mode": "dead"}, OUT)
    assert (box["state"], box["mode"]) == ("bad", "dead")
    assert "3 probes failed in 3 s" in box["note"]


def test_silence_is_told_as_silence() -> None:
    told = tell(Answers(None, None, edges={"CDN-A": None}))
    assert told["origin"]["state"] == told["edges"]["CDN-A"]["state"] == "bad"
    assert told["encoder"]["state"] == "idle"


def test_an_old_live_edge_is_the_encoders_fault() -> None:
    told = tell(Answers({"headwater_origin_live_edge_age_seconds": 31.0}, ()))
    assert told["encoder"]["state"] == "bad"
    assert told["encoder"]["value"] == "31 s"
