import subprocess
import sys

import jax
import jax.numpy as jnp
import pytest

import vidjax


def test_names_are_sorted_and_match_patterns():
    names = vidjax.list_models()
    assert names == sorted(names)
    assert vidjax.list_models("r3d_*_e1") == ["r3d_101_e1", "r3d_34_e1", "r3d_50_e1"]


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("r3d_5O", {}, "model 'r3d_5O' is unknown: did you mean 'r3d_50'"),
        ("r3d_18", {"widht": 8}, "no option 'widht': did you mean 'width'"),
        ("r3d_18", {"num_classes": 0}, "num_classes = 0"),
        ("r3d_18", {"dtype": "int32"}, "dtype = 'int32'"),
    ],
)
def test_unknown_names_are_refused_with_the_nearest(name, options, message):
    with pytest.raises(ValueError, match=message):
        vidjax.create_model(name, **options)


@pytest.mark.parametrize("shape", [(4, 16, 16, 3), (1, 4, 16, 16, 4)])
def test_a_wrong_clip_shape_is_named(shape):
    model = vidjax.create_model("r3d_18", num_classes=2, width=4)
    with pytest.raises(ValueError, match=r"\[B, T, H, W, 3\], not"):
        model.init(jax.random.key(0), jnp.zeros(shape), train=False)


def test_importing_the_networks_loads_no_data_libraries():
    code = (
        "import vidjax, vidjax.models, sys; vidjax.create_model('r3d_18')\n"
        "heavy = {'tensorflow', 'tensorflow_datasets', 'matplotlib'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"
