"""Times all algorithms for a network's convolutions, and writes the table of the fastest."""

from __future__ import annotations

import csv
import functools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from rich.progress import track

import vidjax
from vidjax.layers.convolution.algorithm import PASSES
from vidjax.layers.convolution.algorithms import ALGORITHMS, candidates
from vidjax.layers.convolution.choice import COLUMNS, key_of, row_of
from vidjax.layers.convolution.problem import Problem, live_taps, without_dead_taps
from vidjax.layers.lowering import force_lowering
from vidjax.program import read_program
from vidjax.storage.writing import appending, move, write_text

from .arguments import network_and_width
from .machine import describe, versions
from .timing import time_in_turns

# An algorithm that takes this many times the fastest one's time is not timed again.
_HOPELESS = 5.0
# Passes that take fewer milliseconds are timed in chains of this many.
_SHORT, _REPEATS = 1.0, 8
# Milliseconds that waking threads may take in any pass.
_WAKING = 8.0


def convolutions(network: str, shape: tuple[int, ...], dtype: str) -> list[Problem]:
    """Lists the distinct convolutions of a network for clips `[B, T, H, W, 3]`, without dead taps.

    Raises:
      ValueError: the text is not a network's name, with or without a width (`r3d_18:width=16`).
    """
    name, width = network_and_width(network)
    options = {} if width is None else {"width": width}
    model = vidjax.create_model(name, dtype=jnp.dtype(dtype), **options)
    clip = jax.ShapeDtypeStruct(shape, jnp.float32)
    with force_lowering("lax"):
        variables = jax.eval_shape(lambda x: model.init(jax.random.key(0), x, train=False), clip)
        program = read_program(lambda v, x: model.apply(v, x, train=False), variables, clip)
    found: dict[Problem, None] = {}
    for each in program.operations:
        if each.primitive == "conv_general_dilated" and len(each.inputs[0].shape) == 5:
            found[_problem(each.inputs, each.params)] = None
    return list(found)


def _problem(inputs: Sequence[Any], parameters: Mapping[str, Any]) -> Problem:
    problem = Problem(
        tuple(inputs[0].shape),
        tuple(inputs[1].shape),
        tuple(parameters["window_strides"]),
        tuple(parameters["padding"]),
        parameters["feature_group_count"],
        inputs[0].dtype.name,
    )
    return without_dead_taps(problem, live_taps(problem))


def measure(
    networks: Sequence[str],
    shape: tuple[int, ...],
    dtype: str,
    rounds: int,
    output: Path,
    note: str,
) -> list[dict[str, str]]:
    """Times all algorithms for all passes, and writes a table with one row per pass.

    Until the table is complete, the rows are in a file beside it that ends in `.part`. If that file
    exists, the measurement continues with it.

    Args:
      networks: names of networks, as in `vidjax.list_models()`.
      shape: shape of the clips, `[B, T, H, W, 3]`.
      dtype: dtype of the computation.
      rounds: number of repeats; the median counts.
      output: the table.
      note: the command, for the head of the table.

    Raises:
      ValueError: the table exists, its folder does not, or another command has left the `.part`
        file.
    """
    problems: dict[Problem, None] = {}
    for network in networks:
        problems.update(dict.fromkeys(convolutions(network, shape, dtype)))
    backend = jax.default_backend()
    if output.exists():
        raise ValueError(f"{output} exists already; name another file")
    if not output.parent.is_dir():
        raise ValueError(f"{output}: the folder {output.parent} does not exist")
    part = output.with_name(f"{output.name}.part")
    rows = _begun(part, note)
    known = [_asked(row) for row in rows]
    with appending(part) as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        for problem in track(list(problems), "timing"):
            for name in PASSES:
                algorithms = list(worth_timing(name, problem))
                # With a single algorithm there is no choice to record.
                if len(algorithms) > 1 and key_of(name, problem, backend) not in known:
                    times = algorithm_times(algorithms, name, problem, dtype, rounds)
                    rows.append(row_of(name, problem, backend, times))
                    writer.writerow(rows[-1])
                    file.flush()
            jax.clear_caches()
    move(part, output)
    return rows


def _begun(part: Path, note: str) -> list[dict[str, str]]:
    """Reads the rows of an interrupted measurement; begins a new file if there was none."""
    if not part.exists():
        machine = f"{describe()}; {versions()}; {time.strftime('%Y-%m-%d')}"
        write_text(part, f"# {note}\n# {machine}\n{','.join(COLUMNS)}\n")
    text = part.read_text("utf-8")
    if text.splitlines()[:1] != [f"# {note}"]:
        raise ValueError(
            f"{part} belongs to another command: continue that one, or remove the file"
        )
    # The last row may have been cut off.
    whole = text[: text.rindex("\n") + 1]
    if whole != text:
        write_text(part, whole)
    return list(csv.DictReader(line for line in whole.splitlines() if not line.startswith("#")))


def _asked(row: Mapping[str, str]) -> dict[str, str]:
    """Returns the columns of a row that identify the pass of the convolution."""
    return {
        column: row[column] for column in COLUMNS if column not in ("algorithm", "ms", "others")
    }


def algorithm_times(
    algorithms: Sequence[str], name: str, problem: Problem, dtype: str, rounds: int
) -> dict[str, float]:
    """Times a pass in each algorithm; returns the medians in milliseconds.

    A short pass is repeated within one program, as in a network. Otherwise, starting the program
    and waking threads would take most of its time.
    """
    arrays = _arrays(name, problem, dtype)
    works = {each: _work(each, name, problem, arrays, 1) for each in algorithms}
    once = {each: time_in_turns({each: work}, 1)[each] for each, work in works.items()}
    most = max(_HOPELESS * min(once.values()), _WAKING)
    close = [each for each in algorithms if once[each] <= most]
    times = {**once, **time_in_turns({each: works[each] for each in close}, rounds)}
    if min(times.values()) > _SHORT:
        return times
    close = [each for each in close if times[each] <= _WAKING]
    chains = {each: _work(each, name, problem, arrays, _REPEATS) for each in close}
    chained = time_in_turns(chains, rounds)
    return {**times, **{each: ms / _REPEATS for each, ms in chained.items()}}


def _work(
    algorithm: str, name: str, problem: Problem, arrays: Sequence[jax.Array], repeats: int
) -> Callable[[], object]:
    """Compiles a program that computes a pass `repeats` times, one after the other."""
    one_pass = functools.partial(getattr(ALGORITHMS[algorithm], name), problem)

    def chain(one: jax.Array, other: jax.Array) -> jax.Array:
        result = one_pass(one, other)
        for _ in range(repeats - 1):
            one, other, _ = jax.lax.optimization_barrier((one, other, result))
            result = one_pass(one, other)
        return result

    compiled = jax.jit(chain).lower(*arrays).compile()
    return lambda: jax.block_until_ready(compiled(*arrays))


def worth_timing(name: str, problem: Problem) -> Iterator[str]:
    """Yields the algorithms to time: all but XLA's gradients on a CPU, which may take minutes."""
    algorithms = candidates(name, problem)
    for algorithm in algorithms:
        slow = algorithm == "xla" and jax.default_backend() == "cpu"
        if not (slow and (name != "forward" or problem.groups > 1) and len(algorithms) > 1):
            yield algorithm


def _arrays(name: str, problem: Problem, dtype: str) -> tuple[jax.Array, jax.Array]:
    shapes = {
        "x": problem.shape,
        "kernel": problem.kernel,
        "g": (problem.shape[0], *problem.size, problem.outputs),
    }
    given = {
        "forward": ("x", "kernel"),
        "input_gradient": ("kernel", "g"),
        "kernel_gradient": ("x", "g"),
    }
    keys = jax.random.split(jax.random.key(0))
    one, other = (
        jax.random.normal(key, shapes[each], jnp.dtype(dtype))
        for key, each in zip(keys, given[name], strict=True)
    )
    return one, other
