"""Pre-processing, decoding of network outputs and non-maximum suppression. Pure computation."""
