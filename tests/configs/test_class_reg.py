"""Class Regularization's configuration: where it stands, and what is trained."""

import pytest

from configs import class_reg
from tests.configs.traced import config_of, of
from vidjax.methods.class_regularization import ClassRegularization


@pytest.mark.parametrize(
    ("model", "blocks"),
    [
        ("r3d_50_e1", (3, 4, 6, 3)),
        ("r2plus1d_50_e1", (3, 4, 6, 3)),
        ("wide_r3d_50_e1", (3, 4, 6, 3)),
        ("r3d_101_e1", (3, 4, 23, 3)),
        ("i3d", (2, 5, 2)),
    ],
)
def test_class_regularization_after_stages_or_blocks(model, blocks):
    rates = (0.9, 0.8, 0.7, 0.6)[-len(blocks) :]
    thesis = of(ClassRegularization, class_reg, f"model={model}").values()
    assert [module.affection for module in thesis] == list(rates)
    assert {(module.relu, module.bounds) for module in thesis} == {(True, "symmetric")}
    icip = of(ClassRegularization, class_reg, f"model={model},form=icip,bounds=unit").values()
    expected = [rate for rate, count in zip(rates, blocks, strict=True) for _ in range(count)]
    assert [module.affection for module in icip] == expected
    assert {(module.relu, module.bounds) for module in icip} == {(False, "unit")}
    assert "class_reg" not in config_of(class_reg, f"model={model},baseline=true").model.options


def test_class_regularization_is_trained_alone_or_with_the_network():
    alone, together = (config_of(class_reg, argument) for argument in ("tune=true", None))
    assert (alone.train.train_only, alone.model.weights) == ("class_reg", "weights/r3d_50_e1")
    assert (together.train.train_only, together.model.weights) == ("", "")
    lengths = [config_of(class_reg, f"form={form}").train for form in ("thesis", "icip")]
    assert [train.duration for train in lengths] == ["120 epochs", "170 epochs"]
    assert [train.batch_size for train in lengths] == [16, 32]
