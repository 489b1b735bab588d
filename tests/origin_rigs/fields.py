"""Structured fields by the letter of RFC 9651 4.2, apart from the code under test: dictionaries and
lists of integers, tokens, strings and booleans, which is what CMSD is made of.
"""

import re
from typing import Any

KEY = re.compile(r"[a-z*][a-z0-9_\-.*]*")
INTEGER = re.compile(r"-?[0-9]{1,15}(?![0-9.])")
TOKEN = re.compile(r"[A-Za-z*][!#$%&'*+\-.^_`|~0-9A-Za-z:/]*")
STRING = re.compile(r'"((?:[\x20-\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"')
BETWEEN = re.compile(r"[ \t]*,[ \t]*(?=[^ \t])")


class Token(str):
    """An sf-token, told apart from an sf-string."""


def dictionary(text: str) -> dict[str, Any]:
    """The members of an sf-dictionary by key. AssertionError for what is none."""
    found: dict[str, Any] = {}
    at = 0
    while at < len(text):
        key = KEY.match(text, at)
        assert key, f"no key at {at} in {text!r}"
        value: Any = True
        at = key.end()
        if text[at : at + 1] == "=":
            value, at = item(text, at + 1)
        found[key[0]] = value
        at = between(text, at)
    return found


def members(text: str) -> list[tuple[Any, dict[str, Any]]]:
    """The items of an sf-list, each with its parameters."""
    found = []
    at = 0
    while at < len(text):
        value, at = item(text, at)
        parameters: dict[str, Any] = {}
        while text[at : at + 1] == ";":
            key = KEY.match(text, at + 1)
            assert key, f"no parameter at {at} in {text!r}"
            at = key.end()
            parameters[key[0]] = True
            if text[at : at + 1] == "=":
                parameters[key[0]], at = item(text, at + 1)
        found.append((value, parameters))
        at = between(text, at)
    return found


def item(text: str, at: int) -> tuple[Any, int]:
    if found := INTEGER.match(text, at):
        return int(found[0]), found.end()
    if found := STRING.match(text, at):
        return re.sub(r"\\(.)", r"\1", found[1]), found.end()
    if found := TOKEN.match(text, at):
        return Token(found[0]), found.end()
    raise AssertionError(f"no item at {at} in {text!r}")


def between(text: str, at: int) -> int:
    """Behind the comma after a member, or the end."""
    if at == len(text):
        return at
    found = BETWEEN.match(text, at)
    assert found, f"no comma at {at} in {text!r}"
    return found.end()
