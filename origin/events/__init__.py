"""Timed metadata: event messages, SCTE 35 sections, the spans that they mean. Pure functions."""

from origin.events.errors import BadEvent
from origin.events.message import ID3, SPLICE, Message, message
from origin.events.scte35 import Section, parse
from origin.events.spans import Span, spans

__all__ = ["ID3", "SPLICE", "BadEvent", "Message", "Section", "Span", "message", "parse", "spans"]
