"""Tests MTConvs in residual networks, and the costs of both readings of table 5.2."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import vidjax
from experiments.zoo import networks_page
from tests.methods.test_multi_temporal import flat
from tests.models.test_mtnet import ONES, halved, shapes, stages


def test_mtconvs_replace_convolutions_of_a_residual_network() -> None:
    """Table 5.2: convolutions in space and time become MTConvs, with norms of their own."""
    x = jax.ShapeDtypeStruct((1, 4, 32, 32, 3), jnp.float32)
    options = {"width": 16, "depths": ONES, "num_classes": 3}
    plain, dropped = (
        vidjax.create_model("r3d_50_e1", **options, **more)
        for more in ({}, {"multi_temporal": {"delta": 7 / 8}})
    )
    before, after = (
        {k: v.shape for k, v in flat({"params": shapes(model, x)["params"]}).items()}
        for model in (plain, dropped)
    )
    for number in (1, 2, 3, 4):
        name = f"layer{number}/block1/conv2"
        kt, kh, kw, into, out = before.pop(f"{name}/kernel")
        assert (kt, kh, kw) == (3, 3, 3)
        shares = [(c * 7 // 8, c - c * 7 // 8) for c in (into, out)]
        assert after.pop(f"{name}/local/kernel") == (3, 3, 3, shares[0][0], shares[1][0])
        assert after.pop(f"{name}/prolonged/kernel") == (3, 3, 3, shares[0][1], shares[1][1])
        assert after.pop(f"{name}/lateral/kernel") == (1, 1, 1, *shares[1])
        for leaf in ("scale", "bias"):
            assert before.pop(f"layer{number}/block1/norm2/{leaf}") == (out,)
            for norm, size in (("local", 0), ("prolonged", 1), ("lateral", 1)):
                assert after.pop(f"{name}/norm_{norm}/{leaf}") == (shares[1][size],)
    assert after == before
    assert stages(dropped, (4, 32, 32)) == stages(plain, (4, 32, 32))


def instead(width, before, after, split):
    """Returns how many more parameters and multiply-adds an MTConv has than a 3x3x3 convolution."""
    local = width * 7 // 8
    far = width - local
    pairs = (local * local, far * far) if split else (width * local, width * far)
    params = 27 * sum(pairs) + local * far + 2 * (local + 2 * far)
    sizes = zip(halved(before), before, after, strict=True)
    low = [-(-size * new // old) for size, old, new in sizes]
    low, lateral, places = (frames * side**2 for frames, side in (low, halved(after), after))
    macs = 27 * (pairs[0] * places + pairs[1] * low) + local * far * lateral
    return params - 27 * width**2 - 2 * width, macs - 27 * width**2 * places


@pytest.mark.parametrize(
    ("settings", "params", "macs"),
    [
        pytest.param({}, 29.4, 22.1, marks=pytest.mark.slow),
        ({"split_input": False}, 36.9, 24.5),
    ],
    ids=["shared out", "eq. 5.2"],
)
def test_both_readings_of_table_5_2_have_the_stated_costs(settings, params, macs) -> None:
    """Computes by hand: the card's numbers of r3d_50_e1, with MTConvs as middle convolutions."""
    card = vidjax.model_card("r3d_50_e1")
    expected = np.array([card.params, card.macs])
    sizes = ((8, 56), (4, 28), (2, 14), (1, 7))
    for stage, (depth, size) in enumerate(zip((3, 4, 6, 3), sizes, strict=True)):
        for block in range(depth):
            before = sizes[stage - 1] if stage and not block else size
            expected += instead(64 * 2**stage, before, size, split="split_input" not in settings)
    model = vidjax.create_model("r3d_50_e1", scan=True, multi_temporal=settings)
    counted = vidjax.count_cost(model, (16, 224, 224))
    resized = sum(row.macs for row in counted.by_layer if row.layer.endswith("/conv2"))
    assert (counted.params, counted.macs - resized) == tuple(expected)
    assert resized < 0.001 * counted.macs
    assert counted.params / 1e6 == pytest.approx(params, abs=0.05)
    assert counted.macs / 1e9 == pytest.approx(macs, abs=0.05)
    for text in (f"{params} M, {macs} G", "35.7 M and 23.1 G"):
        assert any(text in how for _, how in networks_page.OTHERS)
