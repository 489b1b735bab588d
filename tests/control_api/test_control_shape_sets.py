"""Shapes of home, detail and playback start are field sets of the same answers (CTL-7, CTL-30)."""

from typing import Any, get_args

import pytest
from sqlalchemy import select

from control_api import shapes
from control_api.catalogue.shown import NAMES
from control_api.schema import device
from runtime.store import MemoryStore

SHAPES = get_args(shapes.Shape)


@pytest.fixture
async def api(kept: Any, make_api: Any) -> Any:
    return await make_api(kept, store=MemoryStore())


async def got(api: Any, path: str) -> Any:
    status, answer = await api.send("GET", path)
    assert status == 200, answer
    return answer


def test_sets_name_fields_that_titles_have() -> None:
    for sets in shapes.FIELDS.values():
        assert set(sets) == set(SHAPES)
        assert all(set(names.split(",")) <= NAMES for names in sets.values())
    small, large = (set(shapes.FIELDS["detail"][each].split(",")) for each in ("mobile", "tv"))
    assert small < large


async def test_home_and_detail_are_parts_of_the_whole(api: Any) -> None:
    """CTL-30: the same titles, in the same order, with the values of the full answer."""
    whole = await got(api, "/v1/catalog/contents/cnt_film")
    every = ",".join(sorted(NAMES))
    rails = await got(api, f"/v1/rails?fields={every}")
    for shape in SHAPES:
        names = {each: set(shapes.FIELDS[each][shape].split(",")) for each in shapes.FIELDS}
        one = await got(api, f"/v1/catalog/contents/cnt_film?shape={shape}")
        assert one == {name: whole[name] for name in names["detail"]}
        home = await got(api, f"/v1/rails?shape={shape}")
        assert home["items"] == [
            rail | {"items": [{n: each[n] for n in names["list"]} for each in rail["items"]]}
            for rail in rails["items"]
        ]
        page = await got(api, f"/v1/catalog/contents?shape={shape}")
        assert all(set(each) == names["list"] for each in page["items"]) and page["items"]
    named = await got(api, "/v1/catalog/contents/cnt_film?shape=tv&fields=year")
    assert named == {"id": "cnt_film", "year": 2026}
    assert (await api.send("GET", "/v1/rails?shape=watch"))[0] == 400


async def test_start_takes_the_shapes_defaults(api: Any) -> None:
    """CTL-30: as the path of that name does; the document says which shapes there are."""
    body = {"channel_id": "ch_demo", "device": {"id": "one"}}
    status, _ = await api.send("POST", "/v1/playback/start?shape=tv", body)
    assert status == 201
    assert (await api.send("POST", "/v1/playback/start?shape=watch", body))[0] == 400
    async with api.database.read() as connection:
        [row] = (await connection.execute(select(device.c["class"]))).all()
    assert row == ("tv",)
    paths = (await got(api, "/openapi.json"))["paths"]
    for path, method in (
        ("/v1/playback/start", "post"),
        ("/v1/rails", "get"),
        ("/v1/catalog/contents/{id}", "get"),
    ):
        described = {each["name"]: each for each in paths[path][method]["parameters"]}
        assert "mobile" in str(described["shape"]["schema"])
