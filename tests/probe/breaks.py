"""How the probe's world is broken: rewritten bodies, refusals, headers, and what media says."""

import re
from collections.abc import Callable

from probe.world import T0, Reply, World, refusal

Break = Callable[[World], None]
LATER_S = T0 + 1.9  # after the first looks, during the watch


def change(path: str, how: Callable[[str], str], *, later: bool = False) -> Break:
    """Rewrite the bodies of the paths that match; `later`: only during the watch."""

    def plant(world: World) -> None:
        def edit(at: str, query: dict[str, str], reply: Reply) -> None:
            due = not later or world.now_s > LATER_S
            if due and reply.status == 200 and re.fullmatch(path, at):
                reply.body = how(reply.text).encode()

        world.edits.append(edit)

    return plant


def body(path: str, old: str, new: str, *, later: bool = False, count: int = 0) -> Break:
    """Replace a pattern in those bodies."""
    return change(path, lambda text: re.sub(old, new, text, count=count, flags=re.M), later=later)


def media_bytes(path: str, how: Callable[[bytes], bytes]) -> Break:
    def plant(world: World) -> None:
        def edit(at: str, query: dict[str, str], reply: Reply) -> None:
            if re.fullmatch(path, at) and reply.status == 200:
                reply.body = how(reply.body)

        world.edits.append(edit)

    return plant


def answer(path: str, status: int, control: str = "max-age=1", *, when: str = "") -> Break:
    """Answer with a refusal; `when`: only if this text is among the query and the method."""

    def plant(world: World) -> None:
        def edit(at: str, query: dict[str, str], reply: Reply) -> None:
            asked = " ".join(f"{k}={v}" for k, v in query.items())
            if re.fullmatch(path, at) and when in asked:
                other = refusal(status, control)
                reply.status, reply.body, reply.headers = other.status, other.body, other.headers

        world.finals.append(edit)

    return plant


def header(path: str, name: str, value: str | None, *, when: str = "", status: int = 0) -> Break:
    """Set a header, or drop it."""

    def plant(world: World) -> None:
        def edit(at: str, query: dict[str, str], reply: Reply) -> None:
            asked = " ".join(f"{k}={v}" for k, v in query.items())
            fits = re.fullmatch(path, at) and when in asked
            if fits and status in (0, reply.status):
                reply.headers.pop(name, None)
                if value is not None:
                    reply.headers[name] = value

        world.finals.append(edit)

    return plant


def ask(kind: str, **query: str) -> Break:
    """Answer a directive as if other directives had been given."""

    def plant(world: World) -> None:
        plain = world.directed

        def directed(track: str, given: dict[str, str]) -> Reply:
            return plain(track, query) if kind in given else plain(track, given)

        world.directed = directed  # type: ignore[method-assign]

    return plant


def refuse(kind: str) -> Break:
    def plant(world: World) -> None:
        plain = world.directed

        def directed(track: str, given: dict[str, str]) -> Reply:
            return refusal(400, "max-age=1") if kind in given else plain(track, given)

        world.directed = directed  # type: ignore[method-assign]

    return plant


def frozen() -> Break:
    """Media playlists stop to grow while the clock runs on."""

    def plant(world: World) -> None:
        kept: dict[str, bytes] = {}

        def edit(at: str, query: dict[str, str], reply: Reply) -> None:
            if at.endswith("media.m3u8") and reply.status == 200:
                if world.now_s > LATER_S:
                    reply.body = kept.get(at, reply.body)
                kept[at] = reply.body

        world.edits.append(edit)

    return plant


def withdrawn(world: World) -> None:
    """Segments are gone as soon as no playlist lists them."""

    def edit(at: str, query: dict[str, str], reply: Reply) -> None:
        found = re.fullmatch(r"/live/v1/(\d+)\.m4s", at)
        if found and int(found[1]) < world.first:
            reply.status, reply.body = 404, b"{}"

    world.edits.append(edit)


def all_of(*breaks: Break) -> Break:
    def plant(world: World) -> None:
        for each in breaks:
            each(world)

    return plant


def moved(first: str, after: str) -> Callable[[str], str]:
    """Move the first line that starts so behind the first line that starts so."""

    def how(text: str) -> str:
        lines = text.splitlines()
        at = next(i for i, x in enumerate(lines) if x.startswith(first))
        line = lines.pop(at)
        to = next(i for i, x in enumerate(lines) if i >= at and re.match(after, x))
        lines.insert(to + 1, line)
        return "\n".join(lines) + "\n"

    return how


def last_only(text: str) -> str:
    """Keep two segments of the window."""
    head, *blocks = re.split(r"(?m)^(?=#EXT-X-PROGRAM-DATE-TIME|#EXT-X-DISCONTINUITY\n)", text)
    gone = sum("#EXTINF" in b for b in blocks[:-3])
    raised = re.sub(r"MEDIA-SEQUENCE:(\d+)", lambda m: f"MEDIA-SEQUENCE:{int(m[1]) + gone}", head)
    return raised.replace("SEQUENCE:0", "SEQUENCE:1") + "".join(blocks[-3:])


def lowered(text: str) -> str:
    return re.sub(r"MEDIA-SEQUENCE:(\d+)", lambda m: f"MEDIA-SEQUENCE:{int(m[1]) - 50}", text)


def all_parts(text: str) -> str:
    return re.sub(
        r"(?m)^(#EXTINF:1.000,\n(\d+)\.m4s)",
        lambda m: (
            "".join(
                f'#EXT-X-PART:DURATION=0.200,URI="{m[2]}.{p}.m4s",INDEPENDENT=YES\n'
                for p in range(5)
            )
            + m[1]
        ),
        re.sub(r"(?m)^#EXT-X-PART:.*\n", "", text),
    )


def stretched(text: str) -> str:
    """A hole after the fifth segment of every timeline."""
    return re.sub(r'((?:<S [^>]*>){5})<S t="\d+" d="\d+"/>', r"\1", text)


def other_time(data: bytes) -> bytes:
    at = data.rindex(b"tfdt") + 8
    return (
        data[:at]
        + (int.from_bytes(data[at : at + 8], "big") + 7).to_bytes(8, "big")
        + data[at + 8 :]
    )


def flipped(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


def not_sync(data: bytes) -> bytes:
    """Mark every sample as depending on others."""
    at = data.index(b"trun")
    flags = int.from_bytes(data[at + 4 : at + 8], "big")
    if flags & 0x4:
        first = at + 16
        return data[:first] + (0x01010000).to_bytes(4, "big") + data[first + 4 :]
    raise AssertionError("the film has no first sample flags")


def unsigned(data: bytes) -> bytes:
    return data.replace(b"trun\x01", b"trun\x00")
