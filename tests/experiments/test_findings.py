"""Tests findings in handwritten programs, and in one that JAX compiles here."""

import jax
import jax.numpy as jnp
import pytest

from experiments.benchmark.findings import FLOAT32, TILES, findings

TPU = """HloModule step

%fused_computation (p: bf16[8,64]) -> bf16[8,64] {
  %p = bf16[8,64]{1,0:T(8,128)(2,1)} parameter(0)
  %inner = bf16[64,8]{0,1:T(8,128)(2,1)} transpose(%p), dimensions={1,0}
  ROOT %back = bf16[8,64]{1,0:T(8,128)(2,1)} transpose(%inner), dimensions={1,0}
}

ENTRY %main (a: f32[4,16,3], k: f32[3,3,8]) -> f32[16,4,8] {
  %a = f32[4,16,3]{2,1,0:T(8,128)} parameter(0)
  %k = f32[3,3,8]{2,1,0:T(4,128)} parameter(1)
  %wide = f32[4,16,8]{2,1,0:T(8,128)} convolution(%a, %k), window={size=3}, metadata={op_name="jit(step)/r3d/conv/conv_general_dilated"}
  %half = bf16[4,16,8]{2,1,0:T(8,128)(2,1)} convert(%wide)
  %mixed = f32[4,16,8]{2,1,0:T(8,128)} convolution(%half, %k), window={size=3}
  %moved = f32[16,4,8]{2,1,0:T(8,128)} transpose(%mixed), dimensions={1,0,2}, metadata={op_name="jit(step)/r3d/pool/transpose"}
  %full = bf16[8,64]{1,0:T(8,128)(2,1)} fusion(%half), kind=kLoop, calls=%fused_computation
  ROOT %out = f32[16,4,8]{2,1,0:T(8,128)} copy(%moved)
}
"""  # noqa: E501


def of_kind(kind, text=TPU):
    return [each for each in findings(text, least=1) if each.kind == kind]


def test_products_of_float32_are_found_and_those_of_bfloat16_are_not():
    (found,) = of_kind(FLOAT32)
    assert (found.what, found.size) == ("f32[4, 16, 8]", 4 * 16 * 8 * 4)
    assert found.where == "jit(step)/r3d/conv/conv_general_dilated"


def test_copies_of_whole_arrays_count_only_outside_of_fusions():
    (transpose,) = of_kind("transposes")
    assert (transpose.what, transpose.where) == ("f32[16, 4, 8]", "jit(step)/r3d/pool/transpose")
    assert [each.size for each in of_kind("copies")] == [16 * 4 * 8 * 4]
    assert not of_kind("pads")


def test_padding_is_the_unused_part_of_tiles():
    sizes = {(each.what, each.size) for each in of_kind(TILES)}
    # The last axis uses 8 of 128 channels; 4 rows are stored as 8.
    assert ("f32[4, 16, 8]", 4 * 16 * (128 - 8) * 4) in sizes
    assert ("f32[16, 4, 8]", 16 * (8 * 128 - 4 * 8) * 4) in sizes
    assert ("bf16[8, 64]", 8 * 64 * 2) in sizes


@pytest.mark.parametrize(("dtype", "count"), [(jnp.float32, 1), (jnp.bfloat16, 0)])
def test_a_program_compiled_here_is_read(dtype, count):
    def product(x, y):
        return jax.lax.dot(x, y, preferred_element_type=jnp.float32)

    shape = jax.ShapeDtypeStruct((64, 64), dtype)
    text = jax.jit(product).lower(shape, shape).as_text("hlo")
    assert len([each for each in findings(text) if each.kind == FLOAT32]) == count
