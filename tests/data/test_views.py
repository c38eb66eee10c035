import numpy as np
import pytest

from tests.data.conftest import LENGTHS
from vidjax.data import sampling, transforms
from vidjax.data.pipeline import ClipShape
from vidjax.data.views import Views, refuse_coinciding, view_batches

SHAPE = ClipShape(frames=4, stride=2, size=32)


@pytest.mark.parametrize("batch_size", [1, 4, 7, 64])
@pytest.mark.parametrize("processes", [1, 2])
def test_every_view_of_every_video_occurs_once(test_split, batch_size, processes):
    views = Views(clips=3, crops=3, size=32, shape=SHAPE)
    seen = []
    for process in range(processes):
        batches = view_batches(
            test_split,
            views,
            batch_size=batch_size * processes,
            process_index=process,
            process_count=processes,
        )
        for batch in (batches[k] for k in range(len(batches))):
            assert batch["clip"].shape == (batch_size, 3, 4, 32, 32, 3)
            seen += list(batch["video"][batch["mask"]])
            assert not batch["clip"][~batch["mask"]].any()
    assert np.bincount(seen).tolist() == [3] * len(test_split)
    assert len(test_split) == 2 * len(LENGTHS["test"])


def test_views_follow_sampling_and_crops(test_split):
    views = Views(clips=2, crops=3, size=32, shape=SHAPE)
    record = test_split[1]
    for clip in range(2):
        indices = sampling.view_clips(len(record.jpegs), 4, 2, 2)[clip]
        frames = transforms.resize_short_side(record.decode(indices), 32)
        cut = views.cut(record, clip)
        width = frames.shape[2]
        for crop, left in enumerate((0, (width - 32) // 2, width - 32)):
            assert np.array_equal(cut[crop], frames[:, :, left : left + 32])


def test_coinciding_views_are_refused(test_split):
    refuse_coinciding(test_split, Views(2, 3, 32, SHAPE))
    with pytest.raises(ValueError, match="eval.clips = 40, but even the longest"):
        refuse_coinciding(test_split, Views(40, 1, 32, SHAPE))
    segments = ClipShape(frames=4, stride=2, size=32, sampling="segments")
    with pytest.raises(ValueError, match="only 1 different clips"):
        refuse_coinciding(test_split, Views(2, 1, 32, segments))


def test_no_more_videos_are_read_than_are_needed(test_split):
    read = []

    class Watched:
        def __len__(self):
            return len(test_split)

        def __getitem__(self, index):
            read.append(int(index))
            return test_split[index]

    refuse_coinciding(Watched(), Views(2, 3, 32, SHAPE))
    assert read == [0]
    read.clear()
    with pytest.raises(ValueError, match=f"longest of {min(64, len(test_split))} checked videos"):
        refuse_coinciding(Watched(), Views(40, 1, 32, SHAPE))
    assert len(read) == min(64, len(test_split))


def test_crops_of_square_frames_are_refused():
    from vidjax.data.synthetic import SyntheticSplit

    square = SyntheticSplit(num_classes=2, videos=2, frames=8, size=32)
    with pytest.raises(ValueError, match="the crops coincide"):
        refuse_coinciding(square, Views(1, 3, 32, SHAPE))


def test_ten_crops_are_corners_and_centre_and_their_mirror_images(test_split):
    views = Views(clips=2, crops=10, size=24, shape=SHAPE, short_side=32)
    record = test_split[1]
    indices = sampling.view_clips(len(record.jpegs), 4, 2, 2)[1]
    frames = transforms.resize_short_side(record.decode(indices), 32)
    height, width = frames.shape[1:3]
    middle = frames[:, (height - 24) // 2 :, (width - 24) // 2 :][:, :24, :24]
    rows, columns = (slice(24), slice(height - 24, None)), (slice(24), slice(width - 24, None))
    expected = [frames[:, row, column] for row in rows for column in columns] + [middle]
    cut = views.cut(record, 1)
    assert cut.shape == (10, 4, 24, 24, 3)
    assert np.array_equal(cut[:5], expected)
    assert np.array_equal(cut[5:], cut[:5, :, :, ::-1])
    assert views.distinct(record)[1] == 10
    refuse_coinciding(test_split, views)


def test_ten_crops_of_frames_no_higher_than_a_crop_are_refused(test_split):
    with pytest.raises(ValueError, match="eval.crops = 10, but .* a larger eval.short_side"):
        refuse_coinciding(test_split, Views(1, 10, 32, SHAPE))


def test_the_short_side_may_be_larger_than_the_crop(test_split):
    record = test_split[0]
    one = ClipShape(frames=1, stride=1, size=32)
    (index,) = sampling.view_clips(len(record.jpegs), 1, 1, 1)
    frames = transforms.resize_short_side(record.decode(index), 40)
    (cut,) = Views(1, 1, 32, one, short_side=40).cut(record, 0)
    assert np.array_equal(cut, transforms.center_crop(frames, 32))
    with pytest.raises(
        ValueError, match="eval.short_side = 30 is less than the crop size eval.size = 32"
    ):
        Views(1, 1, 32, SHAPE, short_side=30)


@pytest.mark.parametrize(
    ("clips", "crops", "message"),
    [(0, 1, "eval.clips = 0"), (1, 2, "eval.crops = 2: must be one of 1, 3, 10")],
)
def test_impossible_views_are_refused(clips, crops, message):
    with pytest.raises(ValueError, match=message):
        Views(clips, crops, 32, SHAPE)
