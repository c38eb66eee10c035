import numpy as np
import pytest
from scipy import stats

from vidjax.data import sampling


def slow_clip(start, num_frames, frames, stride, short):
    result = []
    for k in range(frames):
        index = start + k * stride
        if index >= num_frames:
            index = {"loop": index % num_frames, "hold": num_frames - 1, "pad": -1}[short]
        result.append(index)
    return result


@pytest.mark.parametrize("short", sampling.POLICIES)
@pytest.mark.parametrize("num_frames", [1, 14, 15, 16, 40])
def test_clip_follows_the_policy_at_every_length(short, num_frames):
    # 8 frames, 2 apart, span 15 frames: 14, 15 and 16 are n - 1, n and n + 1.
    for start in (0, num_frames - 1):
        clip = sampling.clip_indices(start, num_frames, 8, 2, short)
        assert clip.dtype == np.int64
        assert clip.tolist() == slow_clip(start, num_frames, 8, 2, short)


def test_random_starts_are_uniform_over_all_valid_ones():
    rng = np.random.default_rng(0)
    starts = [sampling.random_clip(rng, 20, 4, 3)[0] for _ in range(4400)]
    counts = np.bincount(starts, minlength=11)
    assert len(counts) == 11
    assert stats.chisquare(counts).pvalue > 1e-3


def test_center_and_views_agree_with_their_definition():
    assert sampling.center_clip(20, 4, 3).tolist() == [5, 8, 11, 14]
    assert sampling.view_clips(20, 4, 3, 1).tolist() == [[5, 8, 11, 14]]
    views = sampling.view_clips(20, 4, 3, 3)
    assert views[:, 0].tolist() == [0, 5, 10]
    assert views[-1, -1] == 19


def test_segments_take_one_frame_of_each_part():
    rng = np.random.default_rng(0)
    for _ in range(50):
        clip = sampling.segment_clip(rng, 33, 8)
        edges = np.arange(9) * 33 / 8
        assert np.all((clip >= np.floor(edges[:-1])) & (clip < edges[1:]))
    assert sampling.segment_clip(None, 8, 4).tolist() == [1, 3, 5, 7]
    assert sampling.segment_clip(None, 2, 4).tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [((0, 0, 4, 1), "without frames"), ((0, 9, 0, 1), "frames = 0"), ((0, 9, 4, 0), "stride = 0")],
)
def test_impossible_clips_are_refused(arguments, named):
    with pytest.raises(ValueError, match=named):
        sampling.clip_indices(*arguments)
    with pytest.raises(ValueError, match="short = 'mirror'"):
        sampling.clip_indices(0, 9, 4, 1, "mirror")
