"""Ingest: CMAF as DASH-IF Live Media Ingest v1.2 brings it, stored before it is acknowledged."""
