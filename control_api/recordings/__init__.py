"""Network recordings: what viewers keep of channels (control-api section 7, CTL-120..130).

A recording is one account's; an asset is the range of a channel that it points at, shared by all
who record the same. The planner moves assets, and with them their recordings, as time goes by.
"""
