"""How many channels a sound has and where they play, from the codec's own record (TR-55, TR-72)."""

from typing import NamedTuple

from native.bmff.model import SampleEntry, Track

# ISO/IEC 14496-3 table 1.19: channelConfiguration -> channels. Its numbers are those of
# ChannelConfiguration in ISO/IEC 23091-3 too.
AAC_CHANNELS = {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 6, 7: 8, 11: 7, 12: 8, 14: 8}
# RFC 7845, 5.1.1.2: channels of mapping family 1 -> ChannelConfiguration
OPUS = {1: 1, 2: 2, 3: 3, 4: 10, 5: 5, 6: 6, 7: 11, 8: 12}
# ETSI TS 102 366, table 4.3 (acmod) in the bits of E.1.3.1.8 (chanmap): L C R Ls Rs Lc/Rc Lrs/Rrs
# Cs Ts Lsd/Rsd Lw/Rw Lvh/Rvh Cvh Lts/Rts LFE2 LFE, high bit first
AC3_MASKS = (0xA000, 0x4000, 0xA000, 0xE000, 0xA100, 0xE100, 0xB800, 0xF800)
PAIRS = 0x0400 | 0x0200 | 0x0040 | 0x0020 | 0x0010 | 0x0004
# ETSI TS 102 366 F.6.2.13: chan_loc of dependent substreams, low bit first -> chanmap
EC3_ADDED = (0x0400, 0x0200, 0x0100, 0x0080, 0x0040, 0x0020, 0x0010, 0x0008, 0x0002)
# chanmap -> ChannelConfiguration, where there is one
OF_MASK = {
    0x4000: 1, 0xA000: 2, 0xE000: 3, 0xE100: 4, 0xF800: 5, 0xF801: 6, 0xFC01: 7, 0xA100: 9,
    0xB800: 10, 0xF901: 11, 0xFA01: 12,
}  # fmt: skip


class Layout(NamedTuple):
    """`joc` is the complexity index of joint object coding, 0 without it (TR-65); `configuration` a
    ChannelConfiguration, 0 for a layout that has none or is not known; `mask` Dolby's chanmap of
    one that has none.
    """

    channels: int
    joc: int = 0
    configuration: int = 0
    mask: int = 0


def layout(track: Track) -> Layout:
    """The count is never the sample entry's where the codec's record has one (TR-55)."""
    entry = track.entry
    if entry.fourcc == "mp4a" and len(entry.setup) >= 2:
        return _aac(entry)
    if entry.fourcc == "Opus" and len(entry.config) > 1:
        count = entry.config[1]
        known = len(entry.config) > 10 and entry.config[10] < 2
        return Layout(count, configuration=OPUS.get(count, 0) if known else 0)
    if entry.fourcc == "ac-3" and len(entry.config) >= 3:
        word = int.from_bytes(entry.config[:3], "big")
        return _masked(AC3_MASKS[word >> 11 & 7] | (word >> 10 & 1))
    if entry.fourcc == "ec-3" and len(entry.config) >= 5:
        return _ec3(entry.config)
    return Layout(entry.channels)


def _aac(entry: SampleEntry) -> Layout:
    """AudioSpecificConfig (ISO/IEC 14496-3, 1.6.2.1)."""
    bits = int.from_bytes(entry.setup[:8].ljust(8, b"\0"), "big")
    at = 5 if bits >> 59 != 31 else 11
    at += 4 if bits >> (60 - at) & 15 != 15 else 28
    index = bits >> (60 - at) & 15
    count = AAC_CHANNELS.get(index)
    return Layout(entry.channels) if count is None else Layout(count, configuration=index)


def _ec3(config: bytes) -> Layout:
    """dec3 (ETSI TS 102 366, F.6): the first independent substream with what depends on it."""
    word = int.from_bytes(config[2:5], "big")
    mask = AC3_MASKS[word >> 9 & 7] | (word >> 8 & 1)
    at = 5
    for substream in range((config[1] & 7) + 1):
        head = int.from_bytes(config[at - 1 : at + 1].ljust(2, b"\0"), "big")
        if head >> 9 & 15:  # num_dep_sub
            if substream == 0:
                for bit, places in enumerate(EC3_ADDED):
                    mask |= places if head >> bit & 1 else 0
            at += 1
        at += 3
    extension = config[at - 3 : at - 1]
    joc = extension[1] if len(extension) == 2 and extension[0] & 1 else 0
    return _masked(mask, joc)


def _masked(mask: int, joc: int = 0) -> Layout:
    count = mask.bit_count() + (mask & PAIRS).bit_count()
    index = OF_MASK.get(mask, 0)
    return Layout(count, joc, index, 0 if index else mask)
