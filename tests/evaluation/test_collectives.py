"""Tests collectives of programs that XLA compiled for 8 devices against bytes counted by hand."""

import json
import textwrap

import pytest

from tests.commands import run_code
from vidjax.evaluation.collectives import Collective, collectives

PROGRAM = textwrap.dedent(
    """
    import dataclasses, json
    import jax
    jax.config.update("jax_num_cpu_devices", 8)
    import jax.numpy as jnp
    from jax import lax, shard_map
    from jax.sharding import AxisType, NamedSharding, PartitionSpec as P
    from vidjax.evaluation.collectives import collectives

    mesh = jax.make_mesh((2, 4), ("data", "fsdp"), axis_types=(AxisType.Auto,) * 2)
    ALL = ("data", "fsdp")

    def looped(x):
        def turn(total, row):
            return total + lax.psum(row, "data"), None
        return lax.scan(turn, jnp.zeros(24), jnp.stack([x[0]] * 5))[0]

    cases = {
        "sum": (lambda x: lax.psum(x, ALL), P(), (8, 24), "float32"),
        "sum of two": (lambda x: lax.psum((x, 2 * x), "fsdp"), P("data"), (8, 24), "float32"),
        "gather": (lambda x: lax.all_gather(x, "fsdp"), P("data"), (8, 24), "int8"),
        "scatter": (
            lambda x: lax.psum_scatter(x, "fsdp", scatter_dimension=1, tiled=True),
            P(ALL), (8, 24), "float32",
        ),
        "exchange": (
            lambda x: lax.all_to_all(x, "fsdp", 1, 1, tiled=True), P(ALL), (8, 24), "float32",
        ),
        "neighbour": (
            lambda x: lax.ppermute(x, "data", [(0, 1), (1, 0)]), P(ALL), (8, 24), "float32",
        ),
        "loop": (looped, P(), (8, 24), "float32"),
        "nothing": (lambda x: x + 1, P(ALL), (8, 24), "float32"),
    }
    for name, (function, out, shape, dtype) in cases.items():
        split = shard_map(function, mesh=mesh, in_specs=P(ALL), out_specs=out, check_vma=False)
        text = jax.jit(split).lower(jnp.ones(shape, dtype)).compile().as_text()
        print(json.dumps([name, [dataclasses.astuple(one) for one in collectives(text)]]))

    # Split by XLA itself: each device has its clips, and the gradient is that of all.
    def loss(kernel, x):
        return jnp.sum((x @ kernel) ** 2)
    kernel = jax.device_put(jnp.ones((32, 64)), NamedSharding(mesh, P()))
    x = jax.device_put(jnp.ones((16, 32)), NamedSharding(mesh, P(ALL)))
    text = jax.jit(jax.grad(loss)).lower(kernel, x).compile().as_text()
    print(json.dumps(["gradient", [dataclasses.astuple(one) for one in collectives(text)]]))

    for axes in (("fsdp",), ("data",), ALL):
        split = jax.device_put(jnp.ones((32, 64)), NamedSharding(mesh, P(None, axes)))
        whole = jax.jit(lambda x: x + 1, out_shardings=NamedSharding(mesh, P()))
        found = collectives(whole.lower(split).compile().as_text())
        print(json.dumps(["whole " + " ".join(axes), [dataclasses.astuple(one) for one in found]]))
    """
)


@pytest.fixture(scope="module")
def read():
    done = run_code(PROGRAM)
    assert done.returncode == 0, done.stderr[-3000:]
    lines = map(json.loads, done.stdout.splitlines())
    return {name: [Collective(*one) for one in found] for name, found in lines}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        # A row of 24 float32 on each of 8 devices.
        ("sum", [Collective("all-reduce", 96, 8)]),
        ("sum of two", [Collective("all-reduce", 192, 4)]),
        # Four rows of 24 bytes.
        ("gather", [Collective("all-gather", 96, 4)]),
        ("scatter", [Collective("reduce-scatter", 96, 4)]),
        ("exchange", [Collective("all-to-all", 96, 4)]),
        ("neighbour", [Collective("collective-permute", 96, 2)]),
        ("loop", [Collective("all-reduce", 96, 2, 5)]),
        ("nothing", []),
        ("gradient", [Collective("all-reduce", 32 * 64 * 4, 8)]),
        ("whole fsdp", [Collective("all-gather", 32 * 64 * 4, 4)]),
        ("whole data", [Collective("all-gather", 32 * 64 * 4, 2)]),
        ("whole data fsdp", [Collective("all-gather", 32 * 64 * 4, 8)]),
    ],
)
def test_sizes_groups_and_repeats_are_those_counted_by_hand(read, name, expected):
    assert read[name] == expected


def test_bytes_that_a_device_sends_on_a_ring():
    assert Collective("all-reduce", 800, 8).sent == 2 * 7 * 100
    assert Collective("all-gather", 800, 8).sent == 7 * 100
    assert Collective("reduce-scatter", 800, 8).sent == 7 * 100
    assert Collective("all-to-all", 800, 4).sent == 3 * 200
    assert Collective("collective-permute", 800, 2).sent == 800


def test_asynchronous_starts_and_counted_groups_are_read():
    """Uses the notation of XLA's documentation for operations that only GPUs and TPUs have."""
    text = textwrap.dedent(
        """
        HloModule jit_step, num_partitions=16

        ENTRY %main (p: bf16[2,3]) -> bf16[8,3] {
          %p = bf16[2,3]{1,0:T(8,128)(2,1)} parameter(0)
          %a = (bf16[2,3]{1,0:T(8)}, bf16[8,3]) all-gather-start(%p), replica_groups=[4,4]<=[16]
          %b = bf16[8,3]{1,0} all-gather-done(%a)
          %c = (f32[5]{0}, f32[7]{0}) all-reduce-start(%x, %y), replica_groups={}, to_apply=%add
          %d = (f32[9], f32[9], u32[]) collective-permute-start(%z), source_target_pairs={{0,1}}
          ROOT %e = f8e4m3fn[4,4] all-to-all(%b), replica_groups=[2,8]<=[8,2]T(1,0)
        }
        """
    )
    assert collectives(text) == [
        Collective("all-gather", 48, 4),
        Collective("all-reduce", 48, 16),
        Collective("collective-permute", 36, 2),
        Collective("all-to-all", 16, 8),
    ]


def test_an_exchange_that_a_tpu_spreads_over_several_computations_counts_once():
    """Shortened from programs of libtpu 0.0.42."""
    groups = "replica_groups=mesh['a'=1,'b'=4,'c'=2], device_ids=([2,4]T(1,0)) {'b'}"
    gather = f'all-gather(%q), channel_id=55, {groups}, frontend_attributes={{chain_id="3"}}'
    other = f"all-gather(%q), channel_id=56, {groups}"
    text = textwrap.dedent(
        f"""
        HloModule jit_step, num_partitions=8

        %start (q: bf16[2,3]) -> bf16[8,3] {{
          %a = bf16[8,3]{{1,0}} {gather}
        }}

        %step (q: bf16[2,3]) -> bf16[8,3] {{
          %b = bf16[8,3]{{1,0}} {gather}
        }}

        ENTRY %main (p: bf16[2,3]) -> bf16[8,3] {{
          %c = bf16[8,3]{{1,0}} fusion(%p), kind=kCustom, calls=%start
          %d = bf16[8,3]{{1,0}} fusion(%c), kind=kOutput, calls=%step
          %e = bf16[8,3]{{1,0}} {other}
          ROOT %f = bf16[8,3]{{1,0}} {other}
        }}
        """
    )
    assert collectives(text) == [Collective("all-gather", 48, 4)] * 3


@pytest.mark.parametrize(
    ("groups", "size"),
    [
        ("mesh['a'=2,'b'=4] {'a','b'}", 8),
        ("mesh['a'=2,'b'=4] {'b'}", 4),
        ("mesh['a'=8], device_ids=([4,2]T(1,0)) {'a':(2)4}", 4),
        ("{{0,1},{2,3}}", 2),
        ("[4,2]<=[8]", 2),
        ("{}", 8),
    ],
)
def test_groups_are_read_in_all_notations(groups, size):
    program = (
        "HloModule jit_step, num_partitions=8\n\nENTRY %main (p: f32[4]) -> f32[4] {\n"
        f"  ROOT %a = f32[4] all-reduce(%p), replica_groups={groups}, to_apply=%add\n}}\n"
    )
    assert collectives(program) == [Collective("all-reduce", 16, size)]


def test_groups_in_an_unknown_notation_are_refused():
    program = (
        "HloModule jit_step, num_partitions=8\n\nENTRY %main (p: f32[4]) -> f32[4] {\n"
        "  ROOT %a = f32[4] all-reduce(%p), replica_groups=rings(4), to_apply=%add\n}\n"
    )
    with pytest.raises(ValueError, match=r"have an unknown format: replica_groups=rings\(4\)"):
        collectives(program)
