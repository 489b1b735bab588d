"""What recordings do on their own in every process of the API: the planner and its origin."""

from collections.abc import Sequence

from control_api.calls import Services
from control_api.loops import Loop
from control_api.recordings.admission import Desk
from control_api.recordings.origin import HttpOrigin
from control_api.recordings.planner import Planner
from control_api.times import now_ms
from runtime.fetch import Fetcher
from runtime.service import Part

LOOK_BYTES = 16 << 20  # a day of segments in one playlist


def work(services: Services) -> Sequence[Part]:
    settings = services.settings.recordings
    fetcher = Fetcher(
        [settings.ingest_url, settings.delivery_url], name="origin-client", max_bytes=LOOK_BYTES
    )
    desk = Desk(settings, services.settings.default_country)
    planner = Planner(services.database, HttpOrigin(settings, fetcher), desk, now_ms)
    return [fetcher, Loop("recordings", planner.forever)]
