"""The front door: the `headwater` command, the all-in-one composition and the demo."""
