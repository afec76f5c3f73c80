"""Checks for engines on any hardware: run here on the CPU, and in `tests/gpu` on a GPU."""

import numpy as np


def binding_equals_plain_runs(bound, plain, batches, rtol=0.0, atol=0.0):
    """Checks that both return the same for batches of changing sizes and contents."""
    for given in batches:
        before = given.copy()
        for ours, theirs in zip(bound.run(given), plain.run(given), strict=True):
            assert ours.dtype == theirs.dtype
            assert ours.shape == theirs.shape
            np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=atol)
        np.testing.assert_array_equal(given, before)


def outputs_outlive_the_next_run(engine, first, second):
    """Checks that outputs share no memory with the next run or with the batch."""
    kept = engine.run(first)
    copies = [values.copy() for values in kept]
    others = engine.run(second)
    first[:] = 7
    for values, copy, other in zip(kept, copies, others, strict=True):
        np.testing.assert_array_equal(values, copy)
        assert not np.shares_memory(values, other)
        assert not np.shares_memory(values, first)
        assert not np.array_equal(copy, other)  # else the check could not fail
