"""The motion gate, which skips detection on frames that have not changed."""
