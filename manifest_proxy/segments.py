"""Segments that players ask of this proxy, because rules say something of each: nearly none.

`/chaos/at-{rule}/...` for those that come late (faults), `/ab/...` for one of two variants; behind
that `{pathway}/[s:{session}/][cat:{token}/]{path at the origin}`, as policy writes it.
Source: manifest-proxy MP-21, MP-22.
"""

from native.http import Answer, Refusal, Request

from .admission import Admission, Denied, denied
from .asked import Asking
from .beside import CHAOS_PATH, VARIANTS_PATH
from .errors import ProxyError
from .faults import Faults
from .manifest import format_of
from .variants import variant

LATE, EITHER = f"{CHAOS_PATH}/at-", f"{VARIANTS_PATH}/"


class Segments:
    def __init__(self, asking: Asking, faults: Faults) -> None:
        self._asking = asking
        self._faults = faults

    def has(self, path: str) -> bool:
        return path.startswith((LATE, EITHER))

    async def answer(self, request: Request, admission: Admission) -> Answer:
        is_late = request.path.startswith(LATE)
        rule, rest = "", request.path.removeprefix(EITHER)
        if is_late:
            rule, _, rest = request.path.removeprefix(LATE).partition("/")
        try:
            medium = self._asking.medium(rest, request)
            token, _ = admission.admitted(request, medium.found, medium.path)
            if format_of(medium.found.path) is not None:
                return Refusal(404, "not_found")  # manifests have rules to pass
            if is_late:
                return await self._faults.answer(rule, medium, token, request.header("range"))
            return variant(medium, token) or Refusal(404, "not_found")
        except Denied as refusal:
            return denied(refusal.verdict)
        except ProxyError as error:
            return Refusal(error.status, error.code)
