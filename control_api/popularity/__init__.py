"""What is watched now: plays counted once a viewer, forgotten by half-lives (CTL-145)."""
