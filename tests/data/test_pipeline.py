import numpy as np
import pytest

from vidjax.data.pipeline import Augmentation, ClipShape, prefetch, train_batches
from vidjax.data.prepared import Record

SHAPE = ClipShape(frames=4, stride=3, size=48)
WHOLE = Augmentation(scale=(1.0, 1.0), ratio=(1.0, 1.0), flip=0.0)


def batches(source, shape=SHAPE, augmentation=WHOLE, size=4, seed=0, **kwargs):
    return train_batches(source, shape, augmentation, batch_size=size, seed=seed, **kwargs)


def same(one, two):
    return all(np.array_equal(one[key], two[key]) for key in one)


def test_a_batch_depends_on_seed_and_number_alone(train_split):
    ours = batches(train_split)
    later = [ours[k] for k in (7, 2)]
    again = batches(train_split)
    assert same(later[1], again[2])
    assert same(later[0], again[7])
    assert not same(batches(train_split, seed=1)[2], again[2])


class Watched:
    """A source that notes which videos are asked for."""

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


def test_every_epoch_holds_every_video_once_in_another_order(train_split):
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
def test_the_iterator_restarts_anywhere_exactly(train_split, threads):
    iterator = prefetch(batches(train_split), threads)
    states, seen = [], []
    for _ in range(6):
        states.append(iterator.get_state())
        seen.append(next(iterator))
    for start, state in enumerate(states):
        other = prefetch(batches(train_split), threads)
        other.set_state(state)
        assert all(same(next(other), expected) for expected in seen[start:])


def test_processes_share_a_batch_without_overlap(train_split):
    whole = batches(train_split, size=6)[3]
    parts = [batches(train_split, size=6, process_index=k, process_count=3)[3] for k in range(3)]
    rows = sorted(row.tobytes() for part in parts for row in part["clip"])
    assert rows == sorted(row.tobytes() for row in whole["clip"])


def test_clips_have_the_stated_stride(train_split):
    def numbers(clip):
        # A square crop of the whole height leaves 48 of 64 columns; bit 3 is always inside.
        return clip[:, 4].mean(axis=(1, 2))

    changing = ClipShape(frames=4, stride=8, size=48, short="hold")
    clips = batches(train_split, changing, size=10)[0]["clip"]
    # Numbers 8 apart differ in bits 3 and above: every pair of neighbours within a video does.
    moved = [np.abs(np.diff(numbers(clip))).max() > 10 for clip in clips]
    assert sum(moved) >= 8


def test_an_unreadable_video_is_masked_and_keeps_its_place(train_split):
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


def test_flips_and_crops_hold_for_a_whole_clip(train_split):
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
