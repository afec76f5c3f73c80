"""`streamdet demo`: runs everything on a synthetic scene with exact ground truth, and measures every part."""
