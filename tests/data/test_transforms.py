import numpy as np
import pytest

from vidjax.data import transforms


@pytest.fixture
def frames():
    return np.random.default_rng(0).integers(0, 256, (3, 24, 40, 3), dtype=np.uint8)


def test_resize_by_area_is_the_mean_of_blocks(frames):
    small = transforms.resize(frames, (12, 20))
    blocks = frames.reshape(3, 12, 2, 20, 2, 3).mean(axis=(2, 4))
    assert np.abs(small - blocks).max() <= 0.51


@pytest.mark.parametrize(
    ("size", "upscale", "expected"),
    [(12, False, (12, 20)), (24, False, (24, 40)), (48, False, (24, 40)), (48, True, (48, 80))],
)
def test_short_side_keeps_the_aspect_and_upscales_only_on_request(frames, size, upscale, expected):
    assert transforms.resize_short_side(frames, size, upscale=upscale).shape[1:3] == expected


def test_random_boxes_lie_within_the_frame_and_have_the_stated_area_and_ratio():
    rng = np.random.default_rng(0)
    boxes = [
        transforms.random_resized_crop_box(rng, 100, 150, (0.2, 0.8), (0.75, 4 / 3))
        for _ in range(300)
    ]
    top, left, height, width = np.array(boxes).T
    assert (top >= 0).all()
    assert (left >= 0).all()
    assert (top + height <= 100).all()
    assert (left + width <= 150).all()
    area, ratio = height * width / 15000, width / height
    assert 0.19 < area.min() < 0.25
    assert 0.5 < area.max() < 0.81
    assert ratio.min() > 0.73
    assert ratio.max() < 1.36


def test_a_ratio_that_never_fits_falls_back_to_the_largest_box():
    box = transforms.random_resized_crop_box(np.random.default_rng(0), 10, 400, (1.0, 1.0))
    assert box == (0, 193, 10, 13)


@pytest.mark.parametrize("shape", [(24, 40), (40, 24)])
def test_three_crops_are_the_ends_and_the_middle_of_the_longer_side(shape):
    frames = np.zeros((1, *shape, 3), np.uint8)
    boxes = transforms.spatial_views(frames, 20, 3)
    long_axis = int(shape[1] > shape[0])
    assert [box[long_axis] for box in boxes] == [0, 10, 20]
    assert {box[1 - long_axis] for box in boxes} == {2}
    assert transforms.spatial_views(frames, 20, 1) == [boxes[1]]


@pytest.mark.parametrize("shape", [(24, 40), (40, 24)])
def test_five_crops_are_the_corners_and_the_centre(shape):
    height, width = shape
    boxes = transforms.spatial_views(np.zeros((1, *shape, 3), np.uint8), 20, 5)
    corners = {(y, x, 20, 20) for y in (0, height - 20) for x in (0, width - 20)}
    assert set(boxes[:4]) == corners
    assert boxes[4] == ((height - 20) // 2, (width - 20) // 2, 20, 20)


def test_crops_that_do_not_fit_are_refused(frames):
    with pytest.raises(ValueError, match="crops = 2"):
        transforms.spatial_views(frames, 20, 2)
    with pytest.raises(ValueError, match="smaller than a crop of 30"):
        transforms.spatial_views(frames, 30, 1)
    with pytest.raises(ValueError, match="does not lie within"):
        transforms.crop(frames, (0, 30, 24, 20))


def test_flip_mirrors_left_and_right(frames):
    assert np.array_equal(transforms.flip(frames)[0, 5, 0], frames[0, 5, -1])
    assert np.array_equal(transforms.flip(transforms.flip(frames)), frames)


def test_normalize_is_the_usual_formula(frames):
    mean, std = (0.4, 0.5, 0.6), (0.2, 0.25, 0.3)
    expected = (frames / 255 - np.array(mean)) / np.array(std)
    result = transforms.normalize(frames, mean, std)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, expected, atol=2e-6)


def test_color_jitter_of_strength_zero_changes_nothing(frames):
    same = transforms.color_jitter(np.random.default_rng(0), frames, 0.0)
    assert np.abs(same.astype(int) - frames).max() <= 1
    changed = transforms.color_jitter(np.random.default_rng(0), frames, 0.5)
    assert np.abs(changed.astype(int) - frames).mean() > 3


def test_random_scale_crops_a_square_from_a_short_side_in_the_range(frames):
    rng = np.random.default_rng(0)
    clips = [transforms.random_scale_short_side(rng, frames, 26, 40, 20) for _ in range(5)]
    assert {clip.shape for clip in clips} == {(3, 20, 20, 3)}
    assert not np.array_equal(clips[0], clips[1])


def test_jpeg_keeps_colours_in_their_channels():
    frame = np.zeros((32, 32, 3), np.uint8)
    frame[..., 0], frame[..., 2] = 200, 40
    back = transforms.decode_jpeg(transforms.encode_jpeg(frame, 95))
    assert np.abs(back.astype(int) - frame).max() < 6


@pytest.mark.parametrize("data", [b"", b"not a picture"])
def test_broken_jpeg_is_refused(data):
    with pytest.raises(ValueError, match=f"{len(data)} bytes"):
        transforms.decode_jpeg(data)
