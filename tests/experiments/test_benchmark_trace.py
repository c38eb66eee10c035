import jax
import jax.numpy as jnp
import pytest

from experiments.benchmark.trace import (
    Instruction,
    instructions,
    operation_times,
    without_control,
)


def _hlo(name, of, op_name):
    return f'  %{name} = (f32[2]{{0}}, /*index=1*/s32[]) {of}(%x), metadata={{op_name="{op_name}"}}'


def test_instructions_have_a_layer_and_a_direction():
    lines = [
        _hlo("fusion.1", "fusion", "jit(step)/jvp(ResNet)/layer1/block1/block1._conv/conv2/add"),
        _hlo("dot.2", "dot", "jit(f)/transpose(jvp(Net))/stem/conv/branch_0_fun/while/body/dot"),
        "  ROOT %copy.3 = f32[8,3]{1,0:T(8,128)} copy(%fusion.1)",
    ]
    found = instructions("\n".join(lines))
    assert found["fusion.1"] == Instruction("fusion", "layer1/block1/conv2", "forward")
    assert found["dot.2"] == Instruction("dot", "stem/conv", "backward")
    assert found["copy.3"] == Instruction("copy", "", "update")
    assert found["fusion.1"].kind == "conv, forward"


def test_a_real_trace_names_the_product_that_takes_longest(tmp_path):
    def product(x):
        with jax.named_scope("large"):
            return jnp.tanh(x @ x)

    # Waits for it, so that its creation is not part of the trace.
    x = jax.block_until_ready(jax.random.normal(jax.random.key(0), (600, 600)))
    program = jax.jit(product).lower(x).compile()
    with jax.profiler.trace(str(tmp_path)):
        program(x).block_until_ready()
    times = operation_times(tmp_path)
    known = instructions(program.as_text())
    assert set(times) <= set(known)
    assert known[times.most_common(1)[0][0]].layer == "large"


def test_times_of_a_device_exclude_nested_operations(tmp_path):
    # A while loop of 100 ns contains a dot of 60 ns, and a copy names no operation. The lines of
    # the host and of the summary do not belong to the device.
    event = "events {{ metadata_id: {} offset_ps: {} duration_ps: {} {} }}"
    stat = "stats {{ metadata_id: 1 str_value: '{}' }}"
    events = [
        event.format(1, 0, 100_000, stat.format("while.1")),
        event.format(1, 20_000, 60_000, stat.format("dot.2")),
        event.format(2, 200_000, 7_000, ""),
    ]
    names = "".join(
        f"event_metadata {{ key: {key} value {{ id: {key} name: '{name}' }} }}"
        for key, name in ((1, "kernel"), (2, "MemcpyD2D"))
    )
    names += "stat_metadata { key: 1 value { id: 1 name: 'hlo_op' } }"
    text = (
        f"planes {{ name: '/device:GPU:0' {names} lines {{ name: 'Stream #7' {' '.join(events)} }}"
        f" lines {{ name: 'Steps' {events[0]} }} }}"
        f"planes {{ name: '/host:CPU' {names} lines {{ name: 'python' {events[0]} }} }}"
    )
    space = jax.profiler.ProfileData.text_proto_to_serialized_xspace(text)
    (tmp_path / "a.xplane.pb").write_bytes(space)
    times = operation_times(tmp_path)
    assert times == {"while.1": 40, "dot.2": 60, "MemcpyD2D": 7}
    known = instructions(_hlo("while.1", "while", "") + "\n" + _hlo("dot.2", "dot", ""))
    assert without_control(times, known) == {"dot.2": 60, "MemcpyD2D": 7}


def test_a_folder_without_a_trace_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"no trace \(\*\.xplane\.pb\)"):
        operation_times(tmp_path)
