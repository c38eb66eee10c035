"""Tests properties of CutMix on constant clips, so that foreign pixels can be counted."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.quickly import UNOPTIMIZED
from vidjax.methods.cutmix import cutmix

BATCH, FRAMES, HEIGHT, WIDTH = 6, 2, 24, 36
DRAWS = 500
VALUES = np.arange(BATCH)
CLIP = np.broadcast_to(
    VALUES.astype(np.uint8)[:, None, None, None, None], (BATCH, FRAMES, HEIGHT, WIDTH, 3)
)
ONE_HOT = np.eye(BATCH, dtype=np.float32)
EVERY = np.ones(BATCH, bool)
READABLE = np.array([True, True, False, True, True, False])


@functools.cache
def many(alpha: float, chance: float):
    """Compiles many draws: a function of clip, targets and mask."""
    draws = functools.partial(cutmix, alpha=alpha, chance=chance)
    draws = jax.vmap(draws, in_axes=(0, None, None, None))
    draws = jax.jit(draws, compiler_options=UNOPTIMIZED)
    return functools.partial(draws, jax.random.split(jax.random.key(7), DRAWS))


def mix(clip=CLIP, targets=ONE_HOT, mask=EVERY, alpha: float = 1.0, chance: float = 1.0):
    """Returns many draws of clips `[N, B, T, H, W, 3]` and targets `[N, B, K]`."""
    return tuple(map(np.asarray, many(alpha, chance)(clip, targets, mask)))


@functools.cache
def mixed(alpha: float = 1.0, chance: float = 1.0):
    """Mixes constant clips; returns clips, targets, and which pixels are foreign."""
    clips, targets = mix(alpha=alpha, chance=chance)
    return clips, targets, clips != CLIP


@functools.cache
def drawn():
    """Reads the box `[N, H, W]` and the partners `[N, B]` of each draw from the mixed clips."""
    clips, _, foreign = mixed()
    boxes = foreign.any(axis=(1, 2, 5))
    own = np.where(foreign, clips, 0).max(axis=(2, 3, 4, 5))
    partners = np.where(foreign.any(axis=(2, 3, 4, 5)), own, VALUES)
    return boxes, partners


def sides(boxes):
    """Returns height and width of each box."""
    return boxes.any(axis=2).sum(axis=1), boxes.any(axis=1).sum(axis=1)


def simulated(alpha: float, count: int):
    """Draws boxes `[N, H, W]` by the paper's rule in NumPy."""
    rng = np.random.default_rng(8)
    cut = np.sqrt(1 - rng.beta(alpha, alpha, count))

    def inside(size):
        centre = rng.integers(0, size, count)
        length = (size * cut).astype(int)
        low = np.clip(centre - length // 2, 0, size)
        high = np.clip(centre + length // 2, 0, size)
        at = np.arange(size)
        return (low[:, None] <= at) & (at < high[:, None])

    return inside(HEIGHT)[:, :, None] & inside(WIDTH)[:, None, :]


def test_the_box_is_one_rectangle_for_all_frames_and_clips() -> None:
    _, _, foreign = mixed()
    boxes, partners = drawn()
    rectangles = boxes.any(axis=2)[:, :, None] & boxes.any(axis=1)[:, None, :]
    np.testing.assert_array_equal(boxes, rectangles)
    # A rectangle has no gaps.
    for edge in (boxes.any(axis=1), boxes.any(axis=2)):
        steps = np.abs(np.diff(np.pad(edge, ((0, 0), (1, 1))).astype(int))).sum(axis=1)
        assert set(np.unique(steps)) <= {0, 2}
    moved = partners != VALUES
    expected = moved[:, :, None, None, None, None] & boxes[:, None, None, :, :, None]
    np.testing.assert_array_equal(foreign, np.broadcast_to(expected, foreign.shape))


def test_foreign_pixels_belong_to_one_partner_and_partners_form_a_permutation() -> None:
    clips, _, foreign = mixed()
    _, partners = drawn()
    from_partner = clips == partners[:, :, None, None, None, None]
    assert from_partner[foreign].all()
    np.testing.assert_array_equal(np.sort(partners, axis=1), np.tile(VALUES, (DRAWS, 1)))
    cut = partners[(partners != VALUES).any(axis=1)]
    shares = (cut[:, :, None] == VALUES).mean(axis=0)
    # Five standard errors of a share.
    np.testing.assert_allclose(shares, 1 / BATCH, atol=5 * np.sqrt(5 / 36 / len(cut)))


def test_pixels_in_the_box_are_the_partners_at_the_same_position() -> None:
    boxes, partners = drawn()
    clip = np.random.default_rng(1).integers(0, 256, CLIP.shape, dtype=np.uint8)
    clips, _ = mix(clip)
    for draw in range(0, DRAWS, 25):
        box = boxes[draw][None, None, :, :, None]
        np.testing.assert_array_equal(clips[draw], np.where(box, clip[partners[draw]], clip))


@pytest.mark.parametrize("alpha", [1.0, 0.3])
def test_targets_are_mixed_by_the_share_of_foreign_pixels(alpha) -> None:
    _, targets, foreign = mixed(alpha)
    shares = foreign.mean(axis=(2, 3, 4, 5))
    assert targets.dtype == np.float32
    own = np.diagonal(targets, axis1=1, axis2=2)
    np.testing.assert_allclose(own, 1 - shares, atol=1e-6)
    np.testing.assert_allclose(targets.sum(axis=2), 1, atol=1e-6)


def test_any_targets_are_mixed_with_the_partners() -> None:
    _, partners = drawn()
    _, _, foreign = mixed()
    smooth = np.random.default_rng(2).dirichlet(np.ones(BATCH), BATCH).astype(np.float32)
    _, targets = mix(targets=smooth)
    share = foreign.mean(axis=(2, 3, 4, 5))[:, :, None]
    expected = (1 - share) * smooth + share * smooth[partners]
    np.testing.assert_allclose(targets, expected, atol=1e-6)


@pytest.mark.parametrize("alpha", [1.0, 0.3])
def test_boxes_are_distributed_as_in_the_paper(alpha) -> None:
    boxes = mixed(alpha)[2].any(axis=(1, 2, 5))
    expected = simulated(alpha, 8000)
    # Five standard errors of a share, and one pixel at each end of a side.
    bound = 5 * 0.5 / np.sqrt(DRAWS)
    np.testing.assert_allclose(boxes.mean(axis=0), expected.mean(axis=0), atol=bound + 0.04)
    areas, others = boxes.mean(axis=(1, 2)), expected.mean(axis=(1, 2))
    assert abs(areas.mean() - others.mean()) < 5 * others.std() / np.sqrt(DRAWS) + 0.02
    assert abs(areas.std() - others.std()) < 0.04
    parts = (0.1, 0.3, 0.5, 0.7, 0.9)
    at = np.quantile(others, parts)
    ranks = [(areas <= value + 1e-6).mean() for value in at]
    wanted = [(others <= value + 1e-6).mean() for value in at]
    np.testing.assert_allclose(ranks, wanted, atol=bound + 0.04)


def test_both_sides_follow_one_lambda() -> None:
    boxes, _ = drawn()
    border = boxes[:, [0, -1], :].any(axis=(1, 2)) | boxes[:, :, [0, -1]].any(axis=(1, 2))
    heights, widths = sides(boxes[~border & boxes.any(axis=(1, 2))])
    assert len(heights) > 20
    # Each side has the rule's length up to one pixel, or two if the half length is rounded down.
    assert np.abs(heights / HEIGHT - widths / WIDTH).max() <= 2 / HEIGHT + 2 / WIDTH
    assert np.corrcoef(heights, widths)[0, 1] > 0.95


def test_unreadable_clips_and_their_partners_are_not_mixed() -> None:
    clips, targets, _ = mixed()
    _, partners = drawn()
    kept_clips, kept_targets = mix(mask=READABLE)
    stay = ~(READABLE & READABLE[partners])
    assert stay[:, READABLE].any()
    assert not stay.all()
    expected = np.where(stay[:, :, None, None, None, None], CLIP, clips)
    np.testing.assert_array_equal(kept_clips, expected)
    np.testing.assert_allclose(
        kept_targets, np.where(stay[:, :, None], ONE_HOT, targets), atol=1e-6
    )


def test_without_readable_clips_nothing_is_mixed() -> None:
    clips, targets = mix(mask=~EVERY)
    assert (clips == CLIP).all()
    assert (targets == ONE_HOT).all()


@pytest.mark.parametrize("chance", [0.0, 0.3, 1.0])
def test_batches_are_mixed_with_the_given_probability(chance) -> None:
    clips, targets, foreign = mixed(chance=chance)
    cut = foreign.any(axis=(1, 2, 3, 4, 5))
    # Some boxes have no pixel, and some permutations move nothing: 2 %.
    assert abs(cut.mean() - chance) <= 5 * np.sqrt(chance * (1 - chance) / DRAWS) + 0.03 * chance
    assert (clips[~cut] == CLIP).all()
    np.testing.assert_array_equal(targets[~cut], np.tile(ONE_HOT, (int((~cut).sum()), 1, 1)))


@pytest.mark.parametrize("dtype", [jnp.uint8, jnp.float32, jnp.bfloat16])
def test_clips_and_targets_keep_their_types(dtype) -> None:
    clip = jax.ShapeDtypeStruct(CLIP.shape, dtype)
    mixed = jax.eval_shape(cutmix, jax.random.key(0), clip, ONE_HOT, READABLE)
    chex.assert_trees_all_equal_shapes_and_dtypes(mixed, (clip, jnp.asarray(ONE_HOT)))


def test_draws_depend_only_on_the_key() -> None:
    draw = int(mixed()[2].any(axis=(1, 2, 3, 4, 5)).argmax())
    key = jax.random.split(jax.random.key(7), DRAWS)[draw]
    one = jax.jit(cutmix, compiler_options=UNOPTIMIZED)
    clip, targets = one(key, CLIP.astype(np.float32), ONE_HOT, EVERY)
    np.testing.assert_array_equal(clip, mixed()[0][draw])
    np.testing.assert_allclose(targets, mixed()[1][draw], atol=1e-6)


def test_different_keys_draw_differently() -> None:
    boxes, partners = drawn()
    assert len({box.tobytes() for box in boxes}) > 0.8 * DRAWS
    assert len({tuple(row) for row in partners}) > 100


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"alpha": 0.0}, "alpha.*0.0"),
        ({"alpha": -1.0}, "alpha.*-1.0"),
        ({"chance": 1.2}, "chance.*1.2"),
        ({"chance": -0.1}, "chance.*-0.1"),
    ],
)
def test_invalid_settings_are_refused(settings, message) -> None:
    with pytest.raises(ValueError, match=message):
        cutmix(jax.random.key(0), CLIP, ONE_HOT, EVERY, **settings)
