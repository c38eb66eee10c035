"""Tests all supported ways to pass a network, a clip and a class, for all explanations."""

import dataclasses
import functools

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import vidjax
from tests.explain.numpy_reference import conv3d, kernels_of
from tests.explain.third_party_networks import CLASSES, OTHERS, clip_of
from tests.quickly import quickly
from vidjax.explain import class_feature_pyramid, saliency_map, saliency_tube
from vidjax.explain.regularized_tubes import stage_tubes

NAMES = ["walk", "run", "jump"]
pyramid = functools.partial(class_feature_pyramid, depth=1)
FUNCTIONS = {"tube": saliency_tube, "map": saliency_map, "pyramid": pyramid}
all_functions = pytest.mark.parametrize("explain", FUNCTIONS.values(), ids=FUNCTIONS)


@pytest.fixture(scope="module")
def regularized():
    """Returns a network with Class Regularization."""
    model = vidjax.create_model(
        "r3d_18", num_classes=CLASSES, width=4, depths=(1, 1, 0, 0), class_reg={}
    )
    init = functools.partial(model.init, train=False)
    return model, quickly(init)(jax.random.key(0), clip_of()), clip_of()


def staged(*network, **settings):
    """Returns the first stage tube, with the arguments of the other explanations."""
    found = stage_tubes(*network, **settings)
    one = lambda tubes: next(iter(tubes.values()))  # noqa: E731
    return list(map(one, found)) if isinstance(found, list) else one(found)


@pytest.fixture(params=[*FUNCTIONS, "stages"])
def case(request, regularized):
    """Returns an explanation function, and a network that it can explain."""
    if request.param == "stages":
        return staged, regularized
    return FUNCTIONS[request.param], OTHERS["plain"]()


def shown(result):
    return result.tube(result.layers[0].name) if hasattr(result, "layers") else result.volume


def test_classes_are_given_by_any_integer_or_name(case):
    explain, network = case
    one = jnp.asarray([[0.0, 2.0, 1.0]])
    for given in (1, np.int64(1), np.argmax(one), jnp.argmax(one), jnp.argmax(one, axis=-1)):
        assert explain(*network, class_index=given).class_index == 1
    assert explain(*network, class_index="jump", classes=NAMES).class_index == 2
    for given, why in (
        ({"class_index": "jumps", "classes": NAMES}, "'jumps' is unknown: did you mean 'jump'"),
        ({"class_index": "jump"}, r"from 0 to 2; a name needs classes=\[...\]"),
        ({"classes": NAMES[:2]}, "classes has 2 names; the network has 3 classes"),
        ({"class_index": 1.0}, "class_index = 1.0: must be one whole number from 0 to 2"),
        ({"class_index": True}, "class_index = True"),
    ):
        with pytest.raises(ValueError, match=why):
            explain(*network, **given)


def test_a_batch_equals_its_single_clips(case):
    explain, (model, variables, _) = case
    clips = np.concatenate([clip_of(1), clip_of(2)])
    alone = [
        explain(model, variables, clip, class_index=k) for clip, k in ((clips[0], 2), (clips[1], 0))
    ]
    for batch in (clips, jnp.asarray(clips), list(clips), [clip_of(1), clip_of(2)]):
        found = explain(model, variables, batch, class_index=[2, 0])
        assert [own.class_index for own in found] == [2, 0]
        for one, other in zip(found, alone, strict=True):
            np.testing.assert_array_equal(shown(one), shown(other))
    assert [own.class_index for own in explain(model, variables, clips, class_index=1)] == [1, 1]
    with pytest.raises(ValueError, match=r"class_index = \[1\]: pass one class, or one for each"):
        explain(model, variables, clips, class_index=[1])


def test_errors_locate_values_that_are_not_finite(case):
    explain, (model, variables, clip) = case
    with pytest.raises(ValueError, match="clip contains numbers that are not finite"):
        explain(model, variables, np.where(clip > 2, np.nan, clip))
    leaves, tree = jax.tree.flatten(variables)
    place = int(np.argmax([np.ndim(leaf) == 5 for leaf in leaves]))
    (path, _) = jax.tree_util.tree_leaves_with_path(variables)[place]
    broken = [np.full_like(own, np.nan) if k == place else own for k, own in enumerate(leaves)]
    with pytest.raises(ValueError, match="the logits are not finite") as caught:
        explain(model, jax.tree.unflatten(tree, broken), clip)
    name = f"variables{jax.tree_util.keystr(path)}"
    assert str(caught.value).endswith(f"{name} are not finite either")


def test_overflowing_values_are_reported():
    model, weights, clip = OTHERS["plain"]()
    with pytest.raises(ValueError, match="makes the network exceed the range of its dtype"):
        saliency_tube(model, {**weights, "head": weights["head"] * 1e38}, 1e6 * clip)


@flax.struct.dataclass
class Answer:
    logits: jax.Array
    features: jax.Array


@dataclasses.dataclass(frozen=True)
class Giving:
    """Returns more outputs than logits."""

    kind: str

    def __call__(self, weights, clip):
        logits = OTHERS["plain"]()[0](weights, clip)
        return {
            "dict": lambda: {"logits": logits, "clip": clip},
            "tuple": lambda: (logits, clip.mean()),
            "dataclass": lambda: Answer(logits, clip),
            "two": lambda: {"noun": -logits, "verb": logits},
            "pair": lambda: [-logits, logits],
        }[self.kind]()


@all_functions
@pytest.mark.parametrize(
    ("kind", "output"),
    [
        ("dict", None),
        ("tuple", None),
        ("dataclass", None),
        ("dict", "logits"),
        ("pair", 1),
        ("two", "verb"),
        ("dataclass", "logits"),
    ],
)
def test_logits_are_found_among_several_outputs(explain, kind, output):
    model, weights, clip = OTHERS["plain"]()
    found = explain(Giving(kind), weights, clip, output=output)
    np.testing.assert_array_equal(shown(found), shown(explain(model, weights, clip)))


@pytest.mark.parametrize(
    ("kind", "output", "why"),
    [
        ("two", None, r"'noun' \[1, 3\], 'verb' \[1, 3\]: say which output holds"),
        ("two", "verbs", "no output 'verbs': did you mean 'verb'"),
        ("dict", "clip", r"'clip' \[1, 4, 16, 16, 3\]; logits \[1, classes\] are expected"),
        ("pair", 2, "no output 2: Known: 0, 1"),
    ],
)
def test_outputs_without_logits_are_reported(kind, output, why):
    _, weights, clip = OTHERS["plain"]()
    with pytest.raises(ValueError, match=why):
        saliency_tube(Giving(kind), weights, clip, output=output)
    with pytest.raises(ValueError, match=r"output = 'x' has no effect: the model returns"):
        saliency_tube(*OTHERS["plain"](), output="x")


def two_rates(weights, clips):
    parts = zip(("slow", "fast"), clips, strict=True)
    pooled = [jnp.maximum(conv3d(x, weights[name]), 0).mean((1, 2, 3)) for name, x in parts]
    return jnp.concatenate(pooled, -1) @ weights["head"]


def one_rate(weights, clip):
    return two_rates(weights, (clip[:, ::2], clip))


@pytest.mark.parametrize("clip_input", [0, 1])
def test_one_of_two_inputs_is_explained_and_both_belong_to_the_network(clip_input):
    weights = kernels_of(110, slow=(3, 5), fast=(3, 3), head=8)
    clip = clip_of()
    pair = (clip[:, ::2], clip)
    found = saliency_tube(two_rates, weights, pair, 1, clip_input=clip_input)
    one = saliency_tube(one_rate, weights, clip, 1)
    assert found.volume.shape == pair[clip_input].shape[1:4]
    for own, other in zip(found.low, one.low, strict=True):
        np.testing.assert_allclose(own, other, rtol=1e-4, atol=1e-5)
    kept = class_feature_pyramid(two_rates, weights, pair, 1, 1, 0.2, clip_input=clip_input)
    assert {layer.name for layer in kept.layers} == {"slow", "fast"}
    batch = (np.concatenate([pair[0]] * 2), np.concatenate([pair[1]] * 2))
    both = saliency_tube(two_rates, weights, batch, 1, clip_input=clip_input)
    np.testing.assert_array_equal(both[1].volume, found.volume)


def test_missing_inputs_are_reported():
    weights = kernels_of(110, slow=(3, 5), fast=(3, 3), head=8)
    with pytest.raises(ValueError, match="clip_input = 2: clip has 2 inputs"):
        saliency_tube(two_rates, weights, (clip_of(), clip_of()), clip_input=2)
    with pytest.raises(
        ValueError, match="clip_input = 1 has no effect on a network with one input"
    ):
        saliency_tube(*OTHERS["plain"](), clip_input=1)
    with pytest.raises(ValueError, match=r"the inputs have \[1, 2\] clips"):
        saliency_tube(two_rates, weights, (clip_of(), np.concatenate([clip_of()] * 2)))
