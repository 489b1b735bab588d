"""Error replies of Redis and Valkey: which of them speak of the server and not of the question.

Whoever asks can do nothing about these and is told that the store is unavailable (CTL-188).
"""

from typing import Any

from redis.exceptions import ResponseError

from runtime.store.interface import StoreError

HERE, ELSEWHERE = False, True
AWAY = {  # a reply's first word: is the server that serves to be found by connecting anew?
    "LOADING": HERE,  # reads its data after a start
    "BUSY": HERE,  # a script runs for too long
    "NOAUTH": HERE,
    "WRONGPASS": HERE,
    "NOPERM": HERE,
    "MISCONF": HERE,  # cannot save and takes no writes
    "OOM": HERE,  # takes no writes for want of memory
    "NOREPLICAS": HERE,  # takes no writes for want of replicas
    "CLUSTERDOWN": HERE,
    "TRYAGAIN": HERE,  # a slot on its way
    "READONLY": ELSEWHERE,  # a replica, since another became the primary
    "MASTERDOWN": ELSEWHERE,  # a replica without its primary
    "UNBLOCKED": ELSEWHERE,  # a replica since this very command began to wait
}


class Refused(StoreError):
    """No server that serves is at this connection's end; `elsewhere` as in the table."""

    def __init__(self, word: str) -> None:
        super().__init__("unavailable", word)
        self.elsewhere = AWAY[word]


class Unreadable(StoreError, ResponseError):
    """What a key holds cannot be read; `foreign`: it is nothing that anybody here wrote."""

    def __init__(self, text: str) -> None:
        super().__init__("unavailable", text)
        self.foreign = not text.startswith(STUMBLED)


STUMBLED = "ERR user_script:"  # a script did, over a value or by a fault of its own
UNREADABLE = (  # how such replies begin; Redis 7.0 and up, and Valkey
    "WRONGTYPE ",
    STUMBLED,
    "ERR value is not an integer",
)


def error(text: str) -> Refused | ResponseError:
    """What an error reply's text says."""
    word = text.partition(" ")[0]
    if text.startswith(UNREADABLE):
        return Unreadable(text)
    return Refused(word) if word in AWAY else ResponseError(text)


def judged(reply: ResponseError) -> Refused | ResponseError:
    """As the driver made it, which takes the first words that it knows off the text."""
    word = reply.status_code or str(reply).partition(" ")[0]
    if word in AWAY:
        return Refused(word)
    return Unreadable(str(reply)) if word == "WRONGTYPE" else reply


def entries(reply: Any) -> list[tuple[str, bytes]]:
    """XREADGROUP over one stream: RESP2 a list of pairs, RESP3 a map (CMP-17)."""
    if not reply:
        return []
    found = next(iter(reply.values())) if isinstance(reply, dict) else reply[0][1]
    if found and isinstance(found[0], list) and found[0] and isinstance(found[0][0], list | tuple):
        found = found[0]
    return rows(found)


def rows(found: Any) -> list[tuple[str, bytes]]:
    """Ids and bodies of a stream's entries that are still there."""
    return [(id_.decode(), fields[b"b"]) for id_, fields in found if fields]
