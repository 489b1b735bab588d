"""ISO base media file format: walk, parse and write boxes (ISO/IEC 14496-12:2022)."""
