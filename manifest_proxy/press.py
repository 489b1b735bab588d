"""Makes the copies of a manifest that all viewers of equal choices share.

Source: manifest-proxy MP-40, MP-41, MP-44.
"""

from collections.abc import Hashable

from native.holes import Template
from runtime.clock import Clock

from .asked import PREFIX, Asked, Asking
from .beside import CHAOS_PATH, CLOCK_PATH, VARIANTS_PATH
from .copies import Copies
from .manifest import CONTENT_TYPES, Format, compile_manifest, joined_at
from .mpd_history import History
from .policy import Policy
from .spots import Spots
from .upstream import Version
from .urls import Origin

STEERED = {Format.HLS: "hls", Format.DASH: "dash", Format.PATCH: "dash"}


class Press:
    def __init__(
        self,
        asking: Asking,
        origin: Origin,
        *,
        public_url: str,
        steering_url: str,
        tokenised: bool,
        clock: Clock,
        shares: bool = False,
    ) -> None:
        self._asking = asking
        self._origin = origin
        self._public_url = public_url
        self._steering_url = steering_url
        self._tokenised = tokenised
        self._clock = clock
        self._shares = shares
        self._history = History()

    def copies(self, asked: Asked, version: Version, spots: Spots) -> Copies:
        """ProxyError where the rules leave nothing, or the origin's bytes are no manifest."""
        if asked.kind is Format.DASH and asked.rules is not None and asked.rules.patched:
            self._history.note(asked.target, version.body, self._clock.monotonic_s())
        key, spots = self._shared(asked, version, spots)
        return version.compiled_for((key, spots), lambda: self._made(asked, version, spots))

    def _shared(self, asked: Asked, version: Version, spots: Spots) -> tuple[Hashable, Spots]:
        """What a copy depends on. A media playlist names nothing that knows the session, but for
        faults: only the place where a bumper stands tells viewers apart, and bits of a mark are
        chosen last.
        """
        faults = asked.rules is not None and asked.rules.chaos
        if asked.kind is not Format.HLS or faults or not version.is_media:
            return asked.key, spots
        if spots.bumper is not None and spots.bumper.joined_ms:
            spots = spots.joined(joined_at(version.body, spots.bumper, spots.slate))
        return asked._replace(session="").key, spots

    def older(self, asked: Asked, version: Version) -> Template | None:
        """What viewers were given at the time that a patch is to begin with, if it is known."""
        body = self._history.at(asked.target, asked.since_ms)
        return None if body is None else self._template(asked, body, version, Spots())

    def _made(self, asked: Asked, version: Version, spots: Spots) -> Copies:
        marks = asked.rules.watermark if asked.rules else None
        template = self._template(asked, version.body, version, spots)
        folders = marks.folders if marks else ("", "")
        shares = self._shares and asked.shares
        return Copies(template, CONTENT_TYPES[asked.kind], folders, shares=shares)

    def _template(self, asked: Asked, body: bytes, version: Version, spots: Spots) -> Template:
        return compile_manifest(
            asked.kind,
            body,
            version.url,
            self._origin,
            self._policy(asked),
            asked.rules,
            spots.bumper,
            self._asking.pattern(asked),
            spots.slate,
            skips=asked.skips,
        )

    def _policy(self, asked: Asked) -> Policy:
        kind, rules = asked.kind, asked.rules
        return Policy(
            asked.cohort.pathways,
            steered=asked.cohort.steered,
            steering_url=self._steering_url and f"{self._steering_url}/{STEERED[kind]}?sid=",
            refresh_url=f"{self._public_url}{PREFIX}{asked.cohort.name}{asked.session}",
            clock_url=f"{self._public_url}{CLOCK_PATH}",
            tokenised=self._tokenised,
            playlists_url=f"{self._public_url}/p" if rules and rules.through else "",
            session=asked.session,
            carrier=rules.carrier if rules else "path",
            chaos_url=f"{self._public_url}{CHAOS_PATH}",
            variants_url=f"{self._public_url}{VARIANTS_PATH}",
            patches=rules is None or not rules.edits_sets,
        )
