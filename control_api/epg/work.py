"""What the guide does on its own in every process of the API: files that came in, programmes that
begin and end.
"""

from collections.abc import Sequence

from control_api.calls import Services
from control_api.epg import airing
from control_api.epg.intake import Intake
from control_api.loops import Loop
from runtime.service import Part


def work(services: Services) -> Sequence[Part]:
    intake = Intake(services.database, services.store)
    return [
        Loop("guide-intake", intake.run),
        Loop("guide-airing", lambda: airing.forever(services.database)),
    ]
