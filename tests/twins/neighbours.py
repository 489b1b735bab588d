"""The services around a control API, played by one listener with fixed answers."""

import json
from typing import Any

from aiohttp import web

METRICS = """# TYPE headwater_origin_live_edge_age_seconds gauge
headwater_origin_live_edge_age_seconds{channel="demo"} 1.25
headwater_origin_live_edge_age_seconds{channel="arena"} 73.0
# TYPE headwater_origin_delivery_bytes counter
headwater_origin_delivery_bytes_total 1.5e+09
# TYPE headwater_origin_delivery_answers counter
headwater_origin_delivery_answers_total{status="200"} 990.0
headwater_origin_delivery_answers_total{status="503"} 10.0
"""
MASTER = b"""#EXTM3U
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="English",LANGUAGE="en",URI="a/media.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=1500000,RESOLUTION=640x360,CODECS="avc1.64001e,mp4a.40.2",AUDIO="a"
v/media.m3u8
"""
MEDIA = b"""#EXTM3U
#EXT-X-TARGETDURATION:2
#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=1.5
#EXT-X-PART-INF:PART-TARGET=0.5
#EXT-X-MEDIA-SEQUENCE:7
#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:00Z
#EXTINF:2,
7.m4s
#EXT-X-GAP
#EXTINF:2,
8.m4s
#EXT-X-GAP
#EXTINF:2,
9.m4s
#EXT-X-DISCONTINUITY
#EXTINF:1.5,
10.m4s
#EXT-X-GAP
#EXTINF:2,
11.m4s
"""


def neighbours() -> web.Application:
    """Origin, proxy and router in one; the proxy's word is that it is not ready."""
    bodies: dict[str, Any] = {
        "/metrics": METRICS,
        "/live/demo/master.m3u8": MASTER.decode(),
        "/live/demo/v/media.m3u8": MEDIA.decode(),
        "/origin/readyz": json.dumps({"ready": True, "parts": {}}),
        "/proxy/readyz": json.dumps({"ready": False, "parts": {"keys": "no key file"}}),
        "/v1/screen": json.dumps(
            {
                "breakers": [{"region": "DE", "pathway": "CDN-B", "circuit": "open"}],
                "snapshot": {"stale": False},
                "pathways": [
                    {"sessions": 30, "load_mbps": 12.25},
                    {"sessions": 12, "load_mbps": 4.0},
                ],
            }
        ),
    }

    async def answer(request: web.Request) -> web.Response:
        if request.path not in bodies:
            raise web.HTTPNotFound
        return web.Response(text=bodies[request.path])

    app = web.Application()
    app.router.add_get("/{rest:.*}", answer)
    return app
