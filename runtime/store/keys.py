"""Key names of the session operations (CTL-22), shared by the scripts and the tests."""

from zlib import crc32

SHARDS = 16  # live:{0..15}


def account_keys(account: str) -> list[str]:
    """Live sessions by last seen, their details, and the remembered ended ones: one slot."""
    tag = f"{{a:{account}}}"
    return [f"{tag}:s", f"{tag}:d", f"{tag}:g"]


def aside(key: str) -> str:
    """Where to what somebody else wrote under a key without a tag goes: the same slot."""
    return f"{{{key}}}:aside"


def live_key(account: str) -> str:
    """The index shard that says when this account has to be looked at by a reaper."""
    return f"live:{{{crc32(account.encode()) % SHARDS}}}"


def live_keys() -> list[str]:
    return [f"live:{{{shard}}}" for shard in range(SHARDS)]


def packed(device: str, detail: bytes) -> bytes:
    """One hash value: device, NUL, detail."""
    if "\0" in device:
        raise ValueError("a device id has no NUL")
    return device.encode() + b"\0" + detail


def unpacked(value: bytes) -> tuple[str, bytes]:
    device, _, detail = value.partition(b"\0")
    return text(device), detail


def text(name: bytes) -> str:
    """Whoever wrote it."""
    return name.decode(errors="replace")
