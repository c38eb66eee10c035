import numpy as np
import pytest

from vidjax.data import transforms
from vidjax.data.pipeline import (
    Augmentation,
    ClipShape,
    batch_shapes,
    prefetch,
    train_batches,
)
from vidjax.data.prepared import Record
from vidjax.data.thesis_augmentation.device import apply_on_device
from vidjax.data.thesis_augmentation.host import apply_on_host
from vidjax.data.thesis_augmentation.parameters import Chain, Draw, nothing

SHAPE = ClipShape(frames=4, stride=3, size=48)
WHOLE = Augmentation(scale=(1.0, 1.0), ratio=(1.0, 1.0), flip=0.0)


def batches(source, shape=SHAPE, augmentation=WHOLE, size=4, seed=0, **kwargs):
    return train_batches(source, shape, augmentation, batch_size=size, seed=seed, **kwargs)


def same(one, two):
    return all(np.array_equal(one[key], two[key]) for key in one)


def test_a_batch_depends_only_on_seed_and_number(train_split):
    ours = batches(train_split)
    later = [ours[k] for k in (7, 2)]
    again = batches(train_split)
    assert same(later[1], again[2])
    assert same(later[0], again[7])
    assert not same(batches(train_split, seed=1)[2], again[2])


class Watched:
    """A source that records which videos are read."""

    def __init__(self, source):
        self.source, self.asked = source, []
        self.classes, self.manifest_digest, self.broken = source.classes, "", ()

    def __len__(self):
        return len(self.source)

    def __getitem__(self, index):
        self.asked.append(index)
        return self.source[index]

    def __repr__(self):
        return "Watched"


def test_every_epoch_has_every_video_once_in_a_new_order(train_split):
    n, watched = len(train_split), Watched(train_split)
    items = batches(watched, size=1)
    epochs = []
    for epoch in range(3):
        watched.asked.clear()
        for k in range(n):
            items[epoch * n + k]
        epochs.append(tuple(watched.asked))
        assert sorted(epochs[-1]) == list(range(n))
    assert len(set(epochs)) == 3


@pytest.mark.parametrize("threads", [1, 3])
def test_the_iterator_resumes_exactly_at_any_batch(train_split, threads):
    iterator = prefetch(batches(train_split), threads)
    states, seen = [], []
    for _ in range(6):
        states.append(iterator.get_state())
        seen.append(next(iterator))
    for start, state in enumerate(states):
        other = prefetch(batches(train_split), threads)
        other.set_state(state)
        assert all(same(next(other), expected) for expected in seen[start:])


def test_processes_share_a_batch_and_read_only_their_rows(train_split):
    whole, asked = Watched(train_split), []
    expected = batches(whole, size=6)[3]
    parts = []
    for k in range(3):
        own = Watched(train_split)
        parts.append(batches(own, size=6, process_index=k, process_count=3)[3])
        assert len(own.asked) == 2
        asked += own.asked
    assert asked == whole.asked
    for name, rows in expected.items():
        np.testing.assert_array_equal(np.concatenate([part[name] for part in parts]), rows)


def test_clips_have_the_stated_stride(train_split):
    def numbers(clip):
        # A square crop of the full height keeps 48 of 64 columns; bit 3 is always inside.
        return clip[:, 4].mean(axis=(1, 2))

    changing = ClipShape(frames=4, stride=8, size=48, short="hold")
    clips = batches(train_split, changing, size=10)[0]["clip"]
    # Numbers that differ by 8 differ in bit 3 or above, as all neighbouring frames of a clip do.
    moved = [np.abs(np.diff(numbers(clip))).max() > 10 for clip in clips]
    assert sum(moved) >= 8


def test_an_unreadable_video_is_masked_and_keeps_its_row(train_split):
    class Damaged(Watched):
        def __getitem__(self, index):
            record = self.source[index]
            return Record([b""] * 3, record.label, record.name, 25.0) if index == 0 else record

    one, two = batches(Damaged(train_split), size=10)[0], batches(train_split, size=10)[0]
    assert one["mask"].sum() == 9
    good = one["mask"]
    assert np.array_equal(one["clip"][good], two["clip"][good])
    assert not one["clip"][~good].any()
    assert np.array_equal(one["label"], two["label"])


def test_still_clips_hold_one_frame(train_split):
    clips = batches(train_split, ClipShape(4, 3, 48, sampling="still"))[0]["clip"]
    assert (clips == clips[:, :1]).all()


def test_flips_and_crops_are_the_same_for_all_frames(train_split):
    static = ClipShape(frames=3, stride=1, size=32, sampling="still")
    augmentation = Augmentation(scale=(0.3, 1.0), flip=0.5, color=0.4)
    clips = batches(train_split, static, augmentation, size=8)[0]["clip"]
    assert (clips == clips[:, :1]).all()
    assert len({clip.tobytes() for clip in clips}) == 8


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"frames": 0}, "clip.frames = 0"),
        ({"short": "mirror"}, "clip.short = 'mirror'"),
        ({"sampling": "sparse"}, "clip.sampling = 'sparse'"),
    ],
)
def test_impossible_shapes_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        ClipShape(**arguments)


def test_processes_must_divide_the_batch(train_split):
    with pytest.raises(ValueError, match="batch size 4 is not divisible by 3 processes"):
        batches(train_split, process_count=3)


def test_without_the_chain_random_draws_are_the_same_as_before_it_existed():
    """Runs from before the chain existed continue with the same clips: box, mirroring, colours."""
    frames = np.random.default_rng(0).integers(0, 256, (3, 40, 60, 3), np.uint8)
    for seed in range(6):
        ours, theirs = np.random.default_rng(seed), np.random.default_rng(seed)
        clip = Augmentation(color=0.3)(ours, frames, 24)["clip"]
        box = transforms.random_resized_crop_box(theirs, 40, 60, (0.5, 1.0), (0.75, 1.3333333))
        flip = theirs.random() < 0.5
        expected = transforms.resize(transforms.crop(frames, box), (24, 24))
        expected = expected[:, :, ::-1] if flip else expected
        assert np.array_equal(clip, transforms.color_jitter(theirs, expected, 0.3))
        assert ours.random() == theirs.random()


def test_the_chain_is_applied_after_the_crop_and_before_mirroring():
    frames = np.random.default_rng(0).integers(0, 256, (3, 40, 60, 3), np.uint8)
    for seed in range(6):
        rng = np.random.default_rng(seed)
        clip = Augmentation(crop="fixed", chain=0.9)(np.random.default_rng(seed), frames, 24)
        crop = transforms.random_scale_short_side(rng, frames, 40, 40, 24)
        flip = rng.random() < 0.5
        expected = apply_on_host(crop, Chain(0.9, 0.4).draw(rng, 24))
        assert clip.keys() == {"clip"}
        assert np.array_equal(clip["clip"], expected[:, :, ::-1] if flip else expected)


def found_in(large, part):
    """Finds the position of a crop in an image."""
    windows = np.lib.stride_tricks.sliding_window_view(large, part.shape, axis=(0, 1, 2))
    places = np.argwhere((windows == part).all(axis=(-3, -2, -1))[..., 0])
    (place,) = places
    return tuple(place)


@pytest.mark.parametrize(("side", "resized"), [(0, (20, 30)), (16, (16, 24)), (26, (26, 39))])
def test_a_fixed_crop_is_a_part_of_the_frame_at_a_short_side(side, resized):
    frame = np.random.default_rng(0).integers(0, 256, (1, 20, 30, 3), np.uint8)
    large = transforms.resize(frame, resized)[0]
    augmentation = Augmentation(flip=0.0, crop="fixed", short_side=side)
    rng = np.random.default_rng(1)
    places = {found_in(large, augmentation(rng, frame, 14)["clip"][0]) for _ in range(300)}
    rows, columns = zip(*places, strict=True)
    assert (min(rows), max(rows)) == (0, resized[0] - 14)
    assert (min(columns), max(columns)) == (0, resized[1] - 14)


def test_a_padded_crop_may_include_the_black_border():
    frame = np.random.default_rng(0).integers(1, 256, (2, 32, 32, 3), np.uint8)
    # As in `torchvision.transforms.RandomCrop(32, padding=4)`.
    large = np.zeros((2, 40, 40, 3), np.uint8)
    large[:, 4:36, 4:36] = frame
    augmentation = Augmentation(flip=0.0, crop="padded")
    rng = np.random.default_rng(1)
    places = set()
    for _ in range(60):
        clip = augmentation(rng, frame, 32)["clip"]
        top, left = found_in(large[0], clip[0])
        np.testing.assert_array_equal(clip, large[:, top : top + 32, left : left + 32])
        places.add((top, left))
    for along in zip(*places, strict=True):
        assert set(along) == set(range(9))


def test_frames_smaller_than_a_fixed_crop_are_enlarged_to_it():
    frame = np.random.default_rng(0).integers(0, 256, (2, 20, 20, 3), np.uint8)
    clip = Augmentation(flip=0.0, crop="fixed")(np.random.default_rng(0), frame, 32)["clip"]
    assert np.array_equal(clip, transforms.resize(frame, (32, 32)))


@pytest.mark.parametrize("chain", [0.0, 1.0])
def test_augmentation_on_the_device_equals_that_on_the_host(train_split, chain):
    settings = {"chain": chain, "crop": "fixed", "flip": 0.5}
    host = batches(train_split, augmentation=Augmentation(**settings), size=8)[0]
    left = batches(train_split, augmentation=Augmentation(**settings, device=True), size=8)[0]
    assert not np.array_equal(left["clip"], host["clip"])
    done = apply_on_device(left["clip"], Draw(*(left[name] for name in Draw._fields)))
    assert np.array_equal(done, host["clip"])
    assert np.array_equal(left["label"], host["label"])
    same_tables = [(left["tone"][k] == nothing(48).tone).all() for k in range(8)]
    assert all(same_tables) == (chain == 0)
    assert 0 < left["flip"].sum() < 8


@pytest.mark.parametrize("device", [False, True])
def test_batch_shapes_match_the_batches(train_split, device):
    augmentation = Augmentation(chain=0.5, device=device)
    batch = batches(train_split, augmentation=augmentation, size=6)[0]
    found = {name: (array.shape, array.dtype) for name, array in batch.items()}
    assert found == batch_shapes(SHAPE, augmentation, 6)
    assert set(batch) == {"clip", "label", "mask"} | (set(Draw._fields) if device else set())


def test_an_unreadable_clip_is_left_black_on_the_device(train_split):
    class Broken(Watched):
        def __getitem__(self, index):
            return Record([b""] * 3, 1, "broken", 25.0)

    batch = batches(Broken(train_split), augmentation=Augmentation(chain=1.0, device=True))[0]
    assert not batch["mask"].any()
    assert not apply_on_device(batch["clip"], Draw(*(batch[n] for n in Draw._fields))).any()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"chain": 1.5}, "augment.chain = 1.5: must be a number in \\[0, 1\\]"),
        ({"member": -0.1}, "augment.member = -0.1: must be a number in \\[0, 1\\]"),
        ({"flip": 2.0}, "augment.flip = 2.0: must be a number in \\[0, 1\\]"),
        ({"crop": "centre"}, "augment.crop = 'centre': must be one of area, fixed"),
        ({"short_side": 320}, "augment.short_side = 320 with augment.crop = 'area'"),
        ({"crop": "fixed", "short_side": -1}, "augment.short_side = -1"),
        ({"chain": 0.5, "color": 0.1}, "augment.color = 0.1 with augment.chain = 0.5"),
    ],
)
def test_impossible_augmentations_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Augmentation(**settings)
