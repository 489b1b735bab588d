"""Content protection: keys, boxes, signals, licences (ISO/IEC 23001-7; specs/protection.md)."""

from origin.protection.errors import ProtectionError
from origin.protection.keys import ContentKey, role_of
from origin.protection.sealer import Sealer
from origin.protection.secret import Secret

__all__ = ["ContentKey", "ProtectionError", "Sealer", "Secret", "role_of"]
