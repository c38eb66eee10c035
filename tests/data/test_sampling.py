import numpy as np
import pytest
from scipy import stats

from vidjax.data import sampling
from vidjax.data.pipeline import Augmentation, ClipShape, train_batches


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
    # 8 frames at stride 2 span 15 frames: 14, 15 and 16 are n - 1, n and n + 1.
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


def test_segments_take_one_frame_each():
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


FRAMES, STRIDE = 8, 3
SPAN = 22


def normal_starts(num_frames, count, seed=0):
    rng = np.random.default_rng(seed)
    draw = sampling.normal_start_clip
    return np.array([draw(rng, num_frames, FRAMES, STRIDE)[0] for _ in range(count)])


def figure_5_6(num_frames):
    """Returns N(L/4, L/6), truncated to [0, min(L/2, L - span)]."""
    mean, deviation = num_frames / 4, num_frames / 6
    latest = min(num_frames / 2, num_frames - SPAN)
    bounds = ((0 - mean) / deviation, (latest - mean) / deviation)
    return stats.truncnorm(*bounds, loc=mean, scale=deviation), latest


def test_normal_starts_of_a_long_video_are_normal_and_truncated_at_its_middle():
    expected, latest = figure_5_6(1_000_000)
    starts = normal_starts(1_000_000, 4000)
    assert latest == 500_000
    assert stats.kstest(starts, expected.cdf).pvalue > 1e-3


@pytest.mark.parametrize("num_frames", [26, 30, 41, 71])
def test_normal_starts_of_a_short_video_follow_the_rounded_distribution(num_frames):
    expected, latest = figure_5_6(num_frames)
    edges = np.arange(np.floor(latest) + 1) + 0.5
    edges[-1] = latest
    counts = np.bincount(normal_starts(num_frames, 4000), minlength=len(edges))
    shares = np.diff(expected.cdf(edges), prepend=0.0)
    assert len(counts) == len(edges)
    assert stats.chisquare(counts, 4000 * shares).pvalue > 1e-3


@pytest.mark.parametrize("short", sampling.POLICIES)
@pytest.mark.parametrize(
    ("num_frames", "starts"), [(1, {0}), (SPAN - 1, {0}), (SPAN, {0}), (SPAN + 1, {0, 1})]
)
def test_normal_start_clips_of_barely_long_enough_videos(num_frames, starts, short):
    rng, seen = np.random.default_rng(0), set()
    for _ in range(60):
        clip = sampling.normal_start_clip(rng, num_frames, FRAMES, STRIDE, short)
        start = clip[0]
        seen.add(int(start))
        assert clip.tolist() == slow_clip(start, num_frames, FRAMES, STRIDE, short)
    assert seen == starts


def test_normal_starts_come_from_the_given_generator_by_one_number_each():
    one, two = np.random.default_rng(3), np.random.default_rng(3)
    for num_frames in (5, SPAN + 1, 400):
        first = sampling.normal_start_clip(one, num_frames, FRAMES, STRIDE)
        assert np.array_equal(first, sampling.normal_start_clip(two, num_frames, FRAMES, STRIDE))
    two.random()
    sampling.normal_start_clip(one, 400, FRAMES, STRIDE)
    assert one.random() == two.random()
    assert len(set(normal_starts(400, 20, seed=4))) > 10


def test_a_video_without_frames_has_no_normal_start():
    with pytest.raises(ValueError, match="without frames"):
        sampling.normal_start_clip(np.random.default_rng(0), 0, FRAMES, STRIDE)


def test_normal_start_affects_only_training():
    normal, dense = (ClipShape(8, 3, 48, sampling=name) for name in ("normal_start", "dense"))
    indices = normal.train_indices(np.random.default_rng(5), 400)
    expected = sampling.normal_start_clip(np.random.default_rng(5), 400, 8, 3)
    assert indices.tolist() == expected.tolist()
    for num_frames in (5, 22, 400):
        views = (shape.view_indices(num_frames, 4) for shape in (normal, dense))
        assert np.array_equal(*views)


def test_a_batch_of_normal_starts_depends_only_on_seed_and_number(train_split):
    shape, still = ClipShape(4, 3, 48, sampling="normal_start"), Augmentation((1, 1), (1, 1), 0)

    def batch(*numbers, seed=0):
        items = train_batches(train_split, shape, still, batch_size=4, seed=seed)
        return [items[number]["clip"] for number in numbers][-1]

    assert np.array_equal(batch(7, 2), batch(2))
    assert not np.array_equal(batch(2, seed=1), batch(2))


@pytest.mark.parametrize(
    ("num_frames", "stride"),
    [(90, 3), (46, 3), (45, 2), (31, 2), (30, 1), (16, 1), (15, 1), (1, 1)],
)
def test_a_stride_is_made_smaller_until_the_clip_fits(num_frames, stride):
    # 16 frames at stride s span 15 s + 1.
    assert sampling.fitting_stride(num_frames, frames=16, stride=3) == stride


def test_a_fitted_clip_spans_as_much_of_a_short_video_as_it_can():
    shape = ClipShape(frames=4, stride=5, size=8, fit=True)
    rng = np.random.default_rng(0)
    # 4 frames at stride 5 need 16; at stride 3, 10; at stride 1, 4.
    for num_frames, stride in ((16, 5), (15, 4), (12, 3), (4, 1)):
        for _ in range(20):
            indices = shape.train_indices(rng, num_frames)
            assert set(np.diff(indices)) == {stride}
            assert indices.max() < num_frames
    # Below that the policy counts.
    np.testing.assert_array_equal(shape.train_indices(rng, 3), [0, 1, 2, 0])
    np.testing.assert_array_equal(shape.view_indices(12, 1)[0], [1, 4, 7, 10])


def test_repeat_gives_one_frame_if_the_clip_does_not_fit():
    shape = ClipShape(frames=4, stride=2, size=8, short="repeat")
    rng = np.random.default_rng(0)
    assert set(np.diff(shape.train_indices(rng, 7))) == {2}
    clips = [shape.train_indices(rng, 6) for _ in range(200)]
    assert all(len(set(clip)) == 1 for clip in clips)
    assert {int(clip[0]) for clip in clips} == set(range(6))
    np.testing.assert_array_equal(shape.view_indices(5, 1), [[2, 2, 2, 2]])


def test_frames_after_a_normal_start_are_spread_to_the_end():
    rng = np.random.default_rng(0)
    clips = np.stack([sampling.normal_spread_clip(rng, 120, 8) for _ in range(4000)])
    assert (np.diff(clips, axis=1) > 0).all()
    starts = clips[:, 0]
    # A normal distribution with mean L/4 and deviation L/6, truncated to [0, L/2].
    expected = stats.truncnorm(-1.5, 1.5, loc=30, scale=20)
    assert stats.kstest(starts + rng.random(4000) - 0.5, expected.cdf).statistic < 0.03
    # Sorted uniform draws: of those after a start, the last is on average 7/8 of the way.
    share = (clips[:, -1] - starts) / (120 - starts)
    assert share.mean() == pytest.approx(7 / 8, abs=0.01)


@pytest.mark.parametrize("num_frames", [1, 5, 8, 9])
def test_a_spread_clip_of_a_short_video_repeats_frames(num_frames):
    clip = sampling.normal_spread_clip(np.random.default_rng(1), num_frames, 8)
    assert clip.shape == (8,)
    assert (np.diff(clip) >= 0).all()
    assert 0 <= clip[0] <= clip[-1] < num_frames
