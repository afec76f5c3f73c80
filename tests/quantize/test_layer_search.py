"""The search for layers to keep in float."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streamdet.quantize.graph import Layer
from streamdet.quantize.layer_search import fewest_float_layers, rank_by_sensitivity


@given(st.integers(1, 300).flatmap(lambda count: st.tuples(st.just(count), st.integers(0, count))))
def test_finds_the_fewest_layers_in_few_trials(case):
    count, needed = case
    tried = []
    assert fewest_float_layers(count, lambda n: tried.append(n) or n >= needed) == needed
    assert count not in tried
    assert len(tried) <= 2 * np.log2(count) + 3


def test_of_equally_sensitive_layers_the_smaller_ranks_first():
    layers = [Layer(name, "Conv", "x", "y", macs) for name, macs in [("big", 1000), ("small", 10), ("calm", 10)]]
    assert rank_by_sensitivity(layers, {"big": 0.1, "small": 0.1, "calm": 0.001}) == ["small", "big", "calm"]
