"""What a front puts before a connection: PROXY versions 1 and 2 (proxy-protocol.txt; HT-152)."""

import ipaddress
import re
from typing import NamedTuple

V1_BYTES_MAX = 107
V2_PAYLOAD_MAX = 4096  # HT-152; the format itself allows 65,535
V1 = b"PROXY "
V2 = b"\r\n\r\n\x00\r\nQUIT\n"
V2_FIXED_BYTES = 16
LOCAL, PROXY = 0x20, 0x21  # version 2 in the high four bits
FAMILIES = {0x11: 4, 0x21: 16}  # TCP over IPv4 and IPv6: octets of one address
PORTS_BYTES = 4
TLV_CRC32C = 0x03
PORT = re.compile(r"0|[1-9][0-9]{0,4}")
VERSIONS = {"TCP4": 4, "TCP6": 6}


class Header(NamedTuple):
    """`size` in octets; `address` of the client, packed, or None: that of the socket stays."""

    size: int
    address: bytes | None


def read_header(data: bytes) -> Header | None:
    """The header `data` begins with; None: it may become one; ValueError: it never will."""
    if data[: len(V1)] == V1[: len(data)]:
        return _read_v1(data)
    if data[: len(V2)] == V2[: len(data)]:
        return _read_v2(data)
    raise ValueError("no PROXY header")


def _read_v1(data: bytes) -> Header | None:
    end = data.find(b"\r\n", 0, V1_BYTES_MAX)
    if end < 0:
        if len(data) >= V1_BYTES_MAX:
            raise ValueError("PROXY line without an end")
        return None
    words = data[:end].decode("ascii").split(" ")
    if words[1] == "UNKNOWN":
        return Header(end + 2, None)
    if len(words) != 6 or words[1] not in VERSIONS:
        raise ValueError("PROXY line")
    if not all(PORT.fullmatch(word) and int(word) <= 65535 for word in words[4:]):
        raise ValueError("port in a PROXY line")
    source, target = ipaddress.ip_address(words[2]), ipaddress.ip_address(words[3])
    if "%" in words[2] or {source.version, target.version} != {VERSIONS[words[1]]}:
        raise ValueError("address in a PROXY line")
    return Header(end + 2, source.packed)


def _read_v2(data: bytes) -> Header | None:
    if len(data) < V2_FIXED_BYTES:
        return None
    command, family = data[12], data[13]
    payload = int.from_bytes(data[14:16], "big")
    size = V2_FIXED_BYTES + payload
    if command not in (LOCAL, PROXY) or payload > V2_PAYLOAD_MAX:
        raise ValueError("PROXY version, command or length")
    if len(data) < size:
        return None
    if command == LOCAL or family not in FAMILIES:
        return Header(size, None)
    width = FAMILIES[family]
    addresses_end = V2_FIXED_BYTES + 2 * width + PORTS_BYTES
    if addresses_end > size:
        raise ValueError("PROXY addresses are cut")
    _check_crc(data[:size], addresses_end)
    return Header(size, data[V2_FIXED_BYTES : V2_FIXED_BYTES + width])


def _check_crc(header: bytes, at: int) -> None:
    """Walk the TLVs; the CRC is over the header with its own value as zeros."""
    while at < len(header):
        value = at + 3
        end = value + int.from_bytes(header[at + 1 : value], "big")
        if value > len(header) or end > len(header):
            raise ValueError("PROXY TLV is cut")
        if header[at] == TLV_CRC32C:
            zeroed = header[:value] + bytes(end - value) + header[end:]
            if header[value:end] != crc32c(zeroed).to_bytes(4, "big"):
                raise ValueError("PROXY checksum")
        at = end


def _remainders() -> tuple[int, ...]:
    table = []
    for octet in range(256):
        for _ in range(8):
            octet = octet >> 1 ^ (0x82F63B78 if octet & 1 else 0)
        table.append(octet)
    return tuple(table)


_REMAINDERS = _remainders()


def crc32c(data: bytes) -> int:
    """Castagnoli, RFC 3720 appendix B.4."""
    crc = 0xFFFFFFFF
    for octet in data:
        crc = crc >> 8 ^ _REMAINDERS[(crc ^ octet) & 0xFF]
    return crc ^ 0xFFFFFFFF
