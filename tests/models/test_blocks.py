from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.quickly import UNOPTIMIZED
from vidjax.layers.lowering import force_lowering
from vidjax.methods.multi_temporal import MTConv
from vidjax.models.blocks import BasicBlock, Bottleneck
from vidjax.slots.block import Slots


class Probe(nn.Module):
    """Scales by a constant and records its input."""

    factor: float = 1.0

    @nn.compact
    def __call__(self, x, *, train):
        self.sow("intermediates", "seen", x)
        return self.factor * x


def probe(factor=1.0):
    return lambda name: Probe(factor, name=name)


X = jnp.asarray(np.random.default_rng(0).normal(size=(2, 4, 6, 6, 8)), jnp.float32)


def run(block, slots=None, x=X, **fields):
    module = block(12, strides=(2, 2, 2), width=4, slots=slots or Slots(), **fields)
    variables = module.init(jax.random.key(0), x, train=False)
    y, state = module.apply(variables, x, train=False, mutable=["intermediates"])
    return y, state.get("intermediates", {}), variables


@pytest.mark.parametrize("block", [BasicBlock, Bottleneck])
@pytest.mark.parametrize("shortcut", ["projection", "pad"])
def test_shapes_and_shortcuts(block, shortcut):
    y, _, variables = run(block, shortcut=shortcut)
    assert y.shape == (2, 2, 3, 3, 12)
    assert ("shortcut" in variables["params"]) == (shortcut == "projection")


def test_pad_shortcut_subsamples_and_adds_empty_channels():
    y, _, _ = run(BasicBlock, shortcut="pad", zero_init=True)
    expected = np.zeros((2, 2, 3, 3, 12))
    expected[..., :8] = np.maximum(X[:, ::2, ::2, ::2], 0)
    np.testing.assert_allclose(y, expected, atol=1e-6)


@pytest.mark.parametrize("block", [BasicBlock, Bottleneck])
@pytest.mark.parametrize("placement", ["start", "mid", "end", "res", "final"])
def test_the_gate_is_called_once_at_its_placement(block, placement):
    y, seen, _ = run(block, Slots(gate=probe(), placement=placement))
    (features,) = seen["gate"]["seen"]
    if placement == "start":
        np.testing.assert_array_equal(features, X)
    if placement == "final":
        np.testing.assert_array_equal(features, y)
    width = {"start": 8, "mid": 4}.get(placement, 12)
    assert features.shape[-1] == width
    assert (placement in ("mid", "final")) <= bool((features >= 0).all())
    plain, _, _ = run(block)
    np.testing.assert_array_equal(y, plain)


def test_branch_and_shortcut_gates_affect_only_their_side():
    plain, _, _ = run(BasicBlock)
    closed_branch, _, _ = run(BasicBlock, Slots(gate=probe(0.0), placement="end"))
    closed_short, _, _ = run(BasicBlock, Slots(gate=probe(0.0), placement="res"))
    _, seen, _ = run(BasicBlock, Slots(gate=probe(), placement="end"))
    branch = seen["gate"]["seen"][0]
    np.testing.assert_allclose(closed_short, jnp.maximum(branch, 0), atol=1e-6)
    assert not np.allclose(plain, closed_branch)
    dropped, _, _ = run(BasicBlock, Slots(branch_drop=probe(0.0)))
    np.testing.assert_allclose(dropped, closed_branch, atol=1e-6)


def test_top_is_only_for_bottlenecks():
    _, seen, _ = run(Bottleneck, Slots(gate=probe(), placement="top"))
    assert seen["gate"]["seen"][0].shape == (2, 4, 6, 6, 4)
    with pytest.raises(ValueError, match="placement 'top' needs a bottleneck"):
        run(BasicBlock, Slots(gate=probe(), placement="top"))
    with pytest.raises(ValueError, match="placement 'middle'"):
        Slots(placement="middle")


@pytest.mark.parametrize(("block", "count"), [(BasicBlock, 2), (Bottleneck, 3)])
def test_before_norm_is_between_each_convolution_and_its_norm(block, count):
    _, seen, _ = run(block, Slots(before_norm=probe()))
    assert sorted(seen) == [f"before_norm{k + 1}" for k in range(count)]
    # Untrained norms are the identity in evaluation, so a factor of 3 reaches the output.
    plain, _, _ = run(block, Slots(gate=probe(), placement="end"))
    tripled, _, _ = run(block, Slots(before_norm=probe(0.0)))
    assert not np.allclose(plain, tripled)


def test_empty_slots_add_no_parameters():
    _, _, variables = run(Bottleneck)
    _, _, same = run(Bottleneck, Slots(gate=probe(), before_norm=probe(), branch_drop=probe()))
    assert jax.tree.structure(variables["params"]) == jax.tree.structure(same["params"])


def test_zero_init_starts_as_the_shortcut():
    x = jnp.abs(X)
    module = Bottleneck(8, width=4, zero_init=True)
    variables = module.init(jax.random.key(0), x, train=False)
    np.testing.assert_allclose(module.apply(variables, x, train=False), x, atol=1e-6)


def test_zero_init_works_in_bottlenecks_of_multi_temporal_convolutions():
    x = jnp.abs(X)
    module = Bottleneck(8, width=4, zero_init=True, slots=Slots(conv=partial(MTConv, delta=0.5)))
    init = partial(module.init_with_output, train=False)
    with force_lowering("lax"):
        y, variables = jax.jit(init, compiler_options=UNOPTIMIZED)(jax.random.key(0), x)
    assert "local" in variables["params"]["conv2"]
    np.testing.assert_allclose(y, x, atol=1e-6)
