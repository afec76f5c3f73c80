"""Drawing boxes, labels and trails on pictures."""
