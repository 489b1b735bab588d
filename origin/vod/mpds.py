"""MPDs of a title, whole or a clip of it, as text (TR-69, TR-96, TR-111; specs/dash.md)."""

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

from origin import dash
from origin.dash.ondemand import Indexed, on_demand_mpd
from origin.tracks import Rendition
from origin.vod.manifests import Scene, Shown, measured, played
from origin.vod.rates import buffered_bps
from origin.vod.texts import WHOLE
from origin.vod.virtual import layout


def _buffered(scene: Scene, track: Shown) -> Rendition:
    """With the bit rate of an MPD (TR-69)."""
    r = track.rendition
    return replace(r, bandwidth=buffered_bps(measured(track), r.timescale, scene.segment_s))


def mpd(scene: Scene) -> str:
    """Segments by number over a timeline, the trick set last; a Period before, in and behind each
    hole of the pictures (TR-23).
    """
    tracks = [*scene.all, *scene.imsc]
    timelines = [dash.Timeline(_buffered(scene, t), scene.cut(played(t))) for t in tracks]
    if trick := scene.trick:
        main, r = trick
        rate = buffered_bps(main.frames, r.timescale, scene.segment_s)
        timelines.append(dash.Timeline(replace(r, bandwidth=rate), scene.cut(main.frames)))
    gaps = [s for s in scene.cut(played(scene.reference)) if s.gap]
    scale = scene.reference.rendition.timescale
    edges = {Fraction(at, scale) for s in gaps for at in (s.start, s.end)}
    edges -= {Fraction(s.start, scale) for s in gaps} & {Fraction(s.end, scale) for s in gaps}
    end_s = scene.start_s + scene.length_s
    periods: list[dash.Period] = []
    for start_s, until_s in pairwise(sorted({scene.start_s, end_s, *edges})):
        inside = [_within(t, start_s, until_s) for t in timelines] if edges else timelines
        if any(t.segments and t.rendition.kind != "text" for t in inside):
            periods.append(
                dash.Period(
                    str(len(periods) + 1),
                    start_s - scene.start_s,
                    [t for t in inside if t.segments],
                    until_s - start_s,
                    media_s=scene.start_s,
                    events=scene.streams,
                    images=[scene.tiles] if scene.tiles else [],
                )
            )
    return dash.static_mpd(*periods, min_buffer_s=scene.segment_s)


def _within(timeline: dash.Timeline, start_s: Fraction, end_s: Fraction) -> dash.Timeline:
    """What of a timeline begins in a Period; a last I frame lasts no longer than that."""
    scale = timeline.rendition.timescale
    low, high = start_s * scale, end_s * scale
    kept = [s for s in timeline.segments if low <= s.start < high and not s.gap]
    if kept and kept[-1].end > high and timeline.rendition.trick_of:
        kept[-1] = replace(kept[-1], duration=int(high) - kept[-1].start)
    return replace(timeline, segments=kept)


def on_demand(scene: Scene) -> str:
    """TR-111"""
    files = []
    for track in scene.media:
        url = f"{track.name}/track.mp4"
        header = len(track.index.init)
        files.append(Indexed(_buffered(scene, track), url, header, len(layout(track).head)))
    return on_demand_mpd(
        files,
        duration_s=scene.length_s,
        min_buffer_s=scene.segment_s,
        start_s=scene.start_s,
        texts=[(t.rendition, f"{t.rendition.name}/{WHOLE}") for t in scene.text],
        events=scene.streams,
        images=[scene.tiles] if scene.tiles else [],
    )
