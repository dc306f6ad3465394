"""Sample calls of attention; `samples.py` joins them to the others."""

from collections.abc import Iterator

from minigen.autograd.verify.sample import Sample, exactly, normal, sample

MASK = exactly([[True, False, True, True], [False, False, True, False]])
EARLY = exactly([[False, True, True, False], [True, True, False, True]])  # causal: the first query sees nothing


def attention() -> Iterator[Sample]:
    """One head and several, causal or not, with and without a mask, as many queries as keys or fewer."""
    q, kv = normal(2, 3, 4), normal(2, 4, 4)
    for is_causal in (False, True):
        options = {"heads": 2, "is_causal": is_causal}
        yield sample("scaled_dot_product_attention", q, kv, kv, **options)
        yield sample("scaled_dot_product_attention", q, kv, kv, MASK, **options)
        yield sample("self_attention", normal(2, 4, 12), **options)
        yield sample("self_attention", normal(2, 4, 12), EARLY, **options)
    yield sample("scaled_dot_product_attention", normal(1, 5, 3), normal(1, 1, 3), normal(1, 1, 3), heads=1)
    yield sample("scaled_dot_product_attention", q, kv, kv, exactly([[False] * 4, [True] * 4]), heads=4)
    yield sample("self_attention", normal(1, 1, 6), heads=1, is_causal=True)
    yield sample("self_attention", normal(1, 19, 6), heads=2, is_causal=True)
