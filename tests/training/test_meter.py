"""Tests averages between log lines and over whole epochs."""

import numpy as np
import pytest

from vidjax.training.meter import Meter, NonFiniteError
from vidjax.training.plan import Plan

QUANTITIES = ["loss", "gradient of kernel"]
RNG = np.random.default_rng(0)
STEPS = [
    {"loss": loss, "top1": top1, "clips": float(clips)}
    for loss, top1, clips in zip(
        RNG.uniform(0, 3, 12), RNG.uniform(0, 1, 12), RNG.integers(1, 9, 12), strict=True
    )
]


def metered(steps, first=1, meter=None, per_epoch=8):
    """Returns a meter after some steps, with epochs of equal length."""
    meter = meter or Meter(
        QUANTITIES, epoch_steps=lambda step: 0 if step % per_epoch else per_epoch
    )
    for number, values in enumerate(steps, first):
        meter.add(number, values | {"finite": np.ones(2, bool)})
    return meter


def plain(steps, name):
    return pytest.approx(np.mean([step[name] for step in steps]))


def over_clips(steps):
    clips = [step["clips"] for step in steps]
    names = ("loss", "top1")
    return pytest.approx({n: np.average([s[n] for s in steps], weights=clips) for n in names})


def test_epoch_averages_are_over_clips_despite_log_lines():
    meter = metered(STEPS[:5])
    assert meter.averages()["top1"] == plain(STEPS[:5], "top1")
    assert meter.ended_epochs() == []
    metered(STEPS[5:], 6, meter)
    # The averages between log lines continue over the end of the epoch.
    assert meter.averages()["top1"] == plain(STEPS[5:], "top1")
    ((step, found),) = meter.ended_epochs()
    assert (step, found) == (8, over_clips(STEPS[:8]))
    assert meter.ended_epochs() == []
    metered(STEPS[:4], 13, meter)
    assert meter.ended_epochs() == [(16, over_clips([*STEPS[8:], *STEPS[:4]]))]


def test_a_resumed_meter_continues_its_epoch():
    before, whole = metered(STEPS[:5]), metered(STEPS)
    after = Meter(
        QUANTITIES, before.sums(), before.epoch_sums(), epoch_steps=lambda step: 8 * (step == 8)
    )
    metered(STEPS[5:], 6, after)
    assert after.ended_epochs() == whole.ended_epochs()
    assert after.epoch_sums() == whole.epoch_sums()
    assert after.averages() == whole.averages()


def test_a_partial_epoch_has_no_average():
    # A checkpoint from before epochs were counted has no sums of them.
    sums = {"steps": 2.0, "loss": 1.0}
    meter = Meter(QUANTITIES, sums, epoch_steps=lambda step: 0 if step % 4 else 4)
    metered(STEPS[:6], 3, meter)
    assert meter.ended_epochs() == [(8, over_clips(STEPS[2:6]))]
    unreadable = metered([{"loss": 0.0, "clips": 0.0}], per_epoch=1)
    assert unreadable.ended_epochs() == []


def test_values_that_are_not_finite_are_found_by_both_meters():
    for look in (Meter.sums, Meter.averages, Meter.epoch_sums, Meter.ended_epochs):
        meter = metered([])
        meter.add(7, STEPS[0] | {"finite": np.array([True, False])})
        with pytest.raises(NonFiniteError, match="step 7: the gradient of kernel is not finite"):
            look(meter)


@pytest.mark.parametrize("per_epoch", [1, 2.5, 10.4, 0.4, 7 / 3, 48])
def test_epochs_end_at_the_nearest_step_and_add_up_to_the_run(per_epoch):
    plan = Plan(per_epoch, 200, 10, 0, 0)
    ends = [step for step in range(1, 201) if plan.epoch_steps(step)]
    nearest = [int(k * per_epoch + 0.5) for k in range(1, int(200 / per_epoch) + 1)]
    assert ends == sorted({step for step in nearest if 0 < step <= 200})
    assert np.cumsum([plan.epoch_steps(step) for step in ends]).tolist() == ends
    for step in ends:
        assert plan.epochs(step) * per_epoch == pytest.approx(step, abs=0.5)
