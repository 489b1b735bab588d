"""The origin: CMAF in, one track store, HLS and DASH out, live and just in time from files."""
