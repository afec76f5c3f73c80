"""`streamdet demo`: the whole product on a scene whose truth is known, and a measure of every part of it."""
