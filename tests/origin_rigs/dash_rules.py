"""Oracles for MPDs: what one may say, what a later one may change, and a patch engine (dash.md).

Nothing here knows how manifests are made; ids are those of specs/dash.md.
"""

import re
from fractions import Fraction
from typing import Any

from lxml import etree

NS = "urn:mpeg:dash:schema:mpd:2011"
PATCH_NS = "urn:mpeg:dash:schema:mpd-patch:2020"


def applied(root: Any, patch: Any) -> Any:
    """RFC 5261 sections 4.3 to 4.5 as far as MPD patches go."""
    for operation in patch:
        steps = operation.get("sel").split("/")[1:]
        assert not any(re.search(r"\[0\]", s) for s in steps), "positions count from 1 (P2)"
        path = "/".join(["", *(s if s[0] == "@" else f"m:{s}" for s in steps)])
        found = root.xpath(path, namespaces={"m": NS})
        assert len(found) == 1, (path, len(found))
        kind = etree.QName(operation).localname
        content = [in_mpd(child) for child in operation]
        if path.rpartition("/")[2].startswith("@"):
            owner, name = found[0].getparent(), found[0].attrname
            if kind == "remove":
                del owner.attrib[name]
            else:
                owner.set(name, operation.text)
        elif kind == "add" and operation.get("type"):
            assert operation.get("type")[1:] not in found[0].attrib
            found[0].set(operation.get("type")[1:], operation.text)
        elif kind == "add":
            place(found[0], content, operation.get("pos"))
        elif kind == "remove":
            found[0].getparent().remove(found[0])
        else:
            assert kind == "replace" and len(content) == 1
            found[0].getparent().replace(found[0], content[0])
    return root


def place(target: Any, content: list[Any], pos: str | None) -> None:
    if pos is None:
        target.extend(content)
    elif pos == "prepend":
        target[0:0] = content
    else:
        assert pos == "after"
        for node in reversed(content):
            target.addnext(node)


def in_mpd(node: Any) -> Any:
    """Elements of a patch's content name MPD elements."""
    for child in node.iter():
        if child.tag.startswith(f"{{{PATCH_NS}}}"):
            child.tag = child.tag.replace(PATCH_NS, NS)
    return etree.fromstring(etree.tostring(node, with_tail=False))


def canonical(node: Any) -> Any:
    text = (node.text or "").strip()
    return (node.tag, sorted(node.attrib.items()), text, [canonical(child) for child in node])


def seconds(text: str) -> Fraction:
    assert re.fullmatch(r"PT\d+(\.\d+)?S", text), text  # D12
    return Fraction(text[2:-1])


def snapshot_rules(root: Any) -> None:
    """D1, D2, D3, D5, D10, D12 of one MPD."""
    assert root.get("type") == "dynamic" and root.get("publishTime") and root.get("minBufferTime")
    assert "urn:mpeg:dash:profile:isoff-live:2011" in root.get("profiles").split(",")
    assert root.get("availabilityStartTime") == "1970-01-01T00:00:00Z"
    assert seconds(root.get("suggestedPresentationDelay")) < seconds(
        root.get("timeShiftBufferDepth")
    )
    clock = root.find(f"{{{NS}}}UTCTiming")
    assert clock.get("schemeIdUri") == "urn:mpeg:dash:utc:http-iso:2014"
    assert root.find(f"{{{NS}}}LeapSecondInformation") is not None
    periods = root.findall(f"{{{NS}}}Period")
    assert periods and len({p.get("id") for p in periods}) == len(periods)
    end = Fraction(0)
    for period in periods:
        assert seconds(period.get("start")) >= end
        if period.get("duration"):
            assert seconds(period.get("duration")) > 0
            end = seconds(period.get("start")) + seconds(period.get("duration"))
        ids = [s.get("id") for s in period.iter(f"{{{NS}}}AdaptationSet")]
        assert all(ids) and len(set(ids)) == len(ids)
        names = [r.get("id") for r in period.iter(f"{{{NS}}}Representation")]
        assert names and len(set(names)) == len(names)
    for node in root.iter():
        for value in node.attrib.values():
            if value.isdigit():
                assert int(value) < 1 << 53


def expanded(template: Any) -> dict[int, tuple[int, int]]:
    """Number -> (start, duration) of a SegmentTimeline."""
    found: dict[int, tuple[int, int]] = {}
    number, time = int(template.get("startNumber")), None
    for s in template.iter(f"{{{NS}}}S"):
        assert set(s.attrib) <= {"t", "d", "r"}  # D6
        time = int(s.get("t", time if time is not None else -1))
        assert time >= 0, "the first S has @t"
        for _ in range(int(s.get("r", 0)) + 1):
            found[number] = (time, int(s.get("d")))
            number, time = number + 1, time + int(s.get("d"))
    return found


def update_rules(old: Any, new: Any, first: int) -> None:
    """D1, D2, D3, D7, D15: what a later MPD may change."""
    assert old.get("id") == new.get("id")
    assert old.get("publishTime") < new.get("publishTime")
    before = {p.get("id"): p for p in old.findall(f"{{{NS}}}Period")}
    after = {p.get("id"): p for p in new.findall(f"{{{NS}}}Period")}
    order = [i for i in before if i in after]
    assert list(after)[: len(order)] == order
    last = list(before)[-1]
    for name in order:
        was, now = before[name], after[name]
        assert was.get("start") == now.get("start")
        if was.get("duration"):
            assert was.get("duration") == now.get("duration")
        members = [
            [
                (n.get("id"), n.tag)
                for n in p.iter(f"{{{NS}}}AdaptationSet", f"{{{NS}}}Representation")
            ]
            for p in (was, now)
        ]
        assert members[0] == members[1]
        for a, b in zip(*(p.iter(f"{{{NS}}}SegmentTemplate") for p in (was, now)), strict=True):
            timeline_rules(a, b, first, grows=name == last)


def timeline_rules(old: Any, new: Any, first: int, *, grows: bool) -> None:
    """D7: S leave whole at the head, the last one may repeat more, others come behind."""
    was = [[s.get("t"), s.get("d"), int(s.get("r", 0))] for s in old.iter(f"{{{NS}}}S")]
    now = [[s.get("t"), s.get("d"), int(s.get("r", 0))] for s in new.iter(f"{{{NS}}}S")]
    if not was:
        assert old.attrib == new.attrib
        return
    counts = [r + 1 for _, _, r in was]
    moved = int(new.get("startNumber")) - int(old.get("startNumber"))
    gone = next(k for k in range(len(was) + 1) if sum(counts[:k]) == moved)
    assert int(new.get("startNumber")) + now[0][2] >= first, "an S that has left must go"
    if gone:
        last_gone = int(old.get("startNumber")) + moved - 1
        assert last_gone < first, "no S leaves before all of it has left the window"
    kept = was[gone:]
    if not kept:
        assert grows
        return
    if gone:
        assert now[0][0] is not None
        kept[0][0] = now[0][0]
    assert now[: len(kept) - 1] == kept[:-1]
    assert now[len(kept) - 1][:2] == kept[-1][:2] and now[len(kept) - 1][2] >= kept[-1][2]
    assert grows or now == kept, "segments are added only to the last Period (D15)"


def low_latency_rules(root: Any, segment_s: Fraction, chunk_s: Fraction) -> None:
    """L1..L7 and D16 of the low-latency form."""
    assert "http://www.dashif.org/guidelines/low-latency-live-v5" in root.get("profiles").split(",")
    latency = root.find(f"{{{NS}}}ServiceDescription/{{{NS}}}Latency")
    assert int(latency.get("min")) < int(latency.get("target")) < int(latency.get("max"))
    for period in root.findall(f"{{{NS}}}Period"):
        clocks = period.findall(f".//{{{NS}}}ProducerReferenceTime")
        assert clocks and len({c.get("id") for c in clocks}) == len(clocks)
        assert all(c.find(f"{{{NS}}}UTCTiming") is not None for c in clocks)
    for template in root.iter(f"{{{NS}}}SegmentTemplate"):
        assert template.getparent().tag == f"{{{NS}}}AdaptationSet"
        assert template.get("availabilityTimeComplete") == "false"
        assert Fraction(template.get("availabilityTimeOffset")) == segment_s - chunk_s
        assert Fraction(int(template.get("duration")), int(template.get("timescale"))) == segment_s
        assert not template.findall(f"{{{NS}}}SegmentTimeline")
        start = seconds(template.getparent().getparent().get("start"))
        shift = Fraction(
            int(template.get("presentationTimeOffset")), int(template.get("timescale"))
        )
        assert start == shift == int(template.get("startNumber")) * segment_s
    for resync in root.iter(f"{{{NS}}}Resync"):
        assert resync.getparent().tag == f"{{{NS}}}Representation"
        assert resync.get("marker") == "true"
        assert Fraction(int(resync.get("dT")), 10**6) == chunk_s
