"""The training loop.

The order is fixed: load data → step → metrics → checkpoint → evaluate. A checkpoint holds
everything that later steps depend on. A run that is killed at any time and started again ends with
the same arrays and the same lines in `metrics.jsonl` as an uninterrupted run.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from vidjax.data.multigrid import GridShape
from vidjax.data.pipeline import prefetch
from vidjax.evaluation.summary import as_text, main_score, numbers_of, summarize
from vidjax.layers.convolution.choice import given_table
from vidjax.progress import ProgressLine, TimeLeft, duration
from vidjax.run.checkpoint import Checkpoints
from vidjax.run.config import Config
from vidjax.run.experiment import Experiment
from vidjax.run.machine_errors import MachineError, of_machine
from vidjax.run.process_consistency import agree, agree_on_data, compare
from vidjax.run.processes import DAYS, after_first, barrier, broadcast_from_first, is_first
from vidjax.run.sharding import adapt_to_devices, describe, to_devices
from vidjax.run.state import TrainState
from vidjax.run.workdir import check, claim, classes_at_start
from vidjax.storage.leases import Lease
from vidjax.storage.ownership import Owner, owned
from vidjax.storage.writing import writing_bytes
from vidjax.trained.scoring import Scorer
from vidjax.training import changed_duration, multigrid
from vidjax.training.bad_videos import BadVideos
from vidjax.training.changed_devices import check_device_count
from vidjax.training.class_weights import ClassWeights, require_table
from vidjax.training.clock import Clock
from vidjax.training.compile_step import Compiled, compile_cost, compile_step
from vidjax.training.goodput_log import GoodputLog
from vidjax.training.initial_weights import resolve, start_from
from vidjax.training.input_throughput import STEPS, InputThroughput, input_rate
from vidjax.training.meter import EPOCH, Meter, NonFiniteError
from vidjax.training.metric_writer import MetricWriter, progress_text
from vidjax.training.open_writers import OpenWriters, check_writers
from vidjax.training.outcome import Outcome
from vidjax.training.phase_timer import PhaseTimer
from vidjax.training.plan import Plan
from vidjax.training.preemption import Preemption
from vidjax.training.schedules import learning_rate
from vidjax.training.startup_notes import startup_notes
from vidjax.training.step import quantities
from vidjax.watchdog import report_progress


def train(config: Config, workdir: Path, *, began: float | None = None) -> Outcome:
    """Trains to the end of `config.train.duration`; resumes the run in `workdir` if there is one.

    Args:
      config: configuration of the run.
      workdir: work directory of the run.
      began: when the command began, by `time.monotonic()`, for the time report; None is now.

    Raises:
      ValueError: configuration, data or checkpoint do not fit; the message says what to change.
      NonFiniteError: a loss or gradient is not finite.
      MachineError: the machine failed; the message says how to continue.
    """
    try:
        return _train(config, workdir, PhaseTimer(began))
    except MachineError:
        raise
    except Exception as error:
        if (reason := of_machine(error)) is None:
            raise
        raise MachineError(
            f"{reason}. After you fix this, start the same command again: it resumes the run in "
            f"{workdir} from its last checkpoint"
        ) from error


def _train(given: Config, workdir: Path, timer: PhaseTimer) -> Outcome:
    agree(given, {"--workdir": workdir})
    given = resolve(given)
    check_writers(given.writers, workdir)
    # Checked before hours of data preparation.
    after_first(lambda: check(workdir, given), "checking the work directory")
    require_table(given.train.class_weights)
    with ProgressLine(silent=not is_first()) as progress:
        known = classes_at_start(workdir)
        config, notes = adapt_to_devices(given) if known else (given, [])
        experiment = Experiment.open(config, progress.count, training=True, classes=known)
        # Checked before the work directory is claimed, so that a refused run does not change it.
        source = experiment.split(config.data.train_split)
        plan = Plan.of(config, len(source), multigrid.batch_unit(experiment.network))
        classes, scorer = ClassWeights.of(config, source), Scorer(experiment)
        agree_on_data(experiment, (config.data.train_split, config.eval.split), steps=plan.total)
        with _owned(workdir) as owner:
            if known:
                check_device_count(workdir, experiment.network)
            as_given = dataclasses.replace(experiment.network, config=given)
            continuation = changed_duration.continuation(workdir, as_given, plan, len(source))
            mesh = experiment.network.mesh.shape if config.mesh != given.mesh else None
            claim(workdir, given, experiment.network.classes, continuation.step, mesh)
            after_first(lambda: classes.keep(workdir), "storing the class weights")
            for note in (*notes, *continuation.notes):
                progress.note(note)
            # From here on there is a state to save. Before, SIGTERM ends the process as usual.
            with Preemption() as preemption:
                run = _Run(experiment, plan, classes, scorer, workdir, progress, preemption, owner)
                return run.go(timer)


@contextlib.contextmanager
def _owned(workdir: Path) -> Iterator[Owner | Lease | None]:
    """Claims the work directory for this job; process 0 owns it."""
    with contextlib.ExitStack() as stack:

        def own() -> Owner | Lease | None:
            advice = "wait until it ends, stop it, or use another --workdir"
            return stack.enter_context(owned(workdir, advice=advice)) if is_first() else None

        yield after_first(own, "claiming the work directory")


class _Run:
    """State of one start of a run."""

    def __init__(
        self,
        experiment: Experiment,
        plan: Plan,
        classes: ClassWeights,
        scorer: Scorer,
        workdir: Path,
        progress: ProgressLine,
        preemption: Preemption,
        owner: Owner | Lease | None,
    ) -> None:
        self._preemption, self._owner = preemption, owner
        config, self._network = experiment.config, experiment.network
        source = experiment.split(config.data.train_split)
        self._config, self._workdir, self._progress = config, workdir, progress
        self.plan, self._classes = plan, classes
        # Includes the ends under earlier durations, where the run is evaluated too.
        self._ends = changed_duration.ends(workdir, self._network, len(source))
        self._table = multigrid.make_schedule(self._network, self.plan)
        rate = learning_rate(config, total=plan.total, steps_per_epoch=plan.steps_per_epoch)
        # Compiled as a whole; otherwise the first log line compiles each of its operations.
        self._rate = jax.jit(multigrid.scaled_by_batch(rate, self._table))
        self._optimizer = self._network.optimizer(self._rate)
        self._batches = multigrid.batches(config, source, self._table)
        self._scorer = scorer
        self._checkpoints = Checkpoints(
            workdir / "checkpoints", config.every.keep, say=progress.note
        )

    def go(self, timer: PhaseTimer) -> Outcome:
        """Resumes the run and trains to the end of the plan, or until SIGTERM."""
        self._timer = timer
        with contextlib.ExitStack() as stack:
            stack.callback(self._checkpoints.close)
            with self._nothing_to_lose():
                state, step = self._resume()
            stack.callback(self._writer.close)
            if step == self.plan.total:
                return Outcome(step, preempted=False)
            self._goodput = GoodputLog(
                timer,
                self._workdir,
                self._writer.write_timing,
                self._progress.note,
                silent=not is_first(),
            )
            outcome = self._loop(state, step)
            with timer.phase("checkpoints"):
                self._checkpoints.wait()
            self._goodput.close(outcome.step)
            return outcome

    def _nothing_to_lose(
        self, *finish: Callable[[], None]
    ) -> contextlib.AbstractContextManager[None]:
        """Lets SIGTERM end the run in this context, as soon as pending writes are on disk."""

        def leave() -> None:
            for each in (self._checkpoints.wait, *finish):
                each()
            if self._owner is not None:
                self._owner.release()
            self._progress.note("stopped by SIGTERM; start the same command again to resume")
            self._progress.stop()

        return self._preemption.nothing_to_lose(leave)

    def _resume(self) -> tuple[TrainState, int]:
        """Restores the newest checkpoint or makes a new state, and prepares the run to continue."""
        self._progress.note(describe(self._network.mesh))
        for line in startup_notes(self._config, self._classes):
            self._progress.note(line)
        if table := given_table():
            backends = ", ".join(table["backends"])
            self._progress.note(
                f"convolution algorithms are chosen by {table['path']}, which has rows for "
                f"{backends}"
            )
        report_progress("making the network", compiling=True)
        state, self._shardings = self._network.init(self._optimizer)
        report_progress("opening checkpoints")
        steps = self._checkpoints.steps()
        compare("look for the last checkpoint", {"checkpoints": steps})
        step = steps[-1] if steps else 0
        run: Mapping[str, Any] = {}
        if steps:
            state, run = self._checkpoints.restore(step, like=state)
            self._progress.note(f"resuming after step {step} of {self.plan.total}")
        elif self._config.model.weights:
            model = self._config.model
            state = start_from(state, model, self._network.classes, self._progress.note)
        self._restore(state, run)
        self._writer = self._open_writer(step)
        # A run that ended between a checkpoint and its evaluation still has to evaluate.
        owed = steps and (self.plan.evaluates(step) or step in self._ends)
        if owed and not broadcast_from_first(self._writer.has(step, self._scorer.name)):
            with self._timer.phase("evaluation"):
                self._evaluate(state, step)
        return state, step

    def _open_writer(self, step: int) -> MetricWriter:
        if not is_first():
            return MetricWriter(self._workdir, step, silent=True)
        others = OpenWriters(self._config, self._workdir, step, self._progress.note)
        return MetricWriter(self._workdir, step, others=[others])

    def _restore(self, state: TrainState, run: Mapping[str, Any]) -> None:
        data = self._config.data
        names, ends = quantities(state.params), self.plan.epoch_steps
        self._meter = Meter(names, run.get("meter"), run.get("epoch"), epoch_steps=ends)
        self._clock = Clock(run.get("seconds", 0.0))
        self._bad = BadVideos(self._network.classes, data.bad_video_budget, run.get("bad_videos"))
        self._data = prefetch(self._batches, data.threads)
        if run:
            self._data.set_state(run["data"])

    def _loop(self, state: TrainState, step: int) -> Outcome:
        """Trains to the end of the plan, or until the job is about to be preempted."""
        with self._accounted(step), self._timer.phase("compiling"):
            compiled = self._compile(state, step)
            # Compile times differ between processes by more than a transport's timeout.
            barrier("the first step")
        throughput = self._input_throughput(step)
        self._timer.switch_to("steps")
        self._goodput.log(step)
        self._clock.restart_lap()
        self._left = TimeLeft(self.plan.total, step)
        while step < self.plan.total:
            self._checkpoints.check()
            report_progress(f"waiting for the batch of step {step + 1}")
            with self._clock.waiting(), self._timer.phase("waiting"):
                batch = self._load()
            report_progress(f"step {step + 1}")
            shape = self._table.shape(step)
            throughput.begin()
            state, metrics = compiled[shape].step(state, to_devices(batch, self._network.mesh))
            throughput.end(metrics, shape.batch)
            self._clock.count(shape.batch, compiled[shape].multiply_adds)
            step += 1
            self._meter.add(step, metrics)
            stopping = self._preemption.agreed(step)
            try:
                if self.plan.logs(step):
                    self._log(step)
                if self.plan.saves(step) or stopping:
                    self._save(step, state)
            except NonFiniteError as error:
                self._give_up(error)
            # The resumed run then does the evaluation.
            if stopping:
                return Outcome(step, preempted=True)
            if self.plan.evaluates(step):
                with self._accounted(step), self._timer.phase("evaluation"):
                    self._evaluate(state, step)
                self._goodput.log(step)
        return Outcome(step, preempted=False)

    def _accounted(self, step: int) -> contextlib.AbstractContextManager[None]:
        """Like `_nothing_to_lose`, and logs the time spent so far before leaving."""
        return self._nothing_to_lose(lambda: self._goodput.log(step), self._writer.flush)

    def _compile(self, state: TrainState, step: int) -> dict[GridShape, Compiled]:
        """Compiles the step for every batch shape, before the first step."""
        compiled = {}
        for shape in self._table.shapes:
            what = f"compiling the training step for batches of {shape}"
            self._progress.show(what)
            report_progress(what, compiling=True)
            network = multigrid.with_shape(self._network, shape)
            one = compile_step(
                network, self._optimizer, state, self._shardings, self._classes.weights
            )
            self._writer.write_timing(step, f"compile {shape}", compile_cost([one]))
            origin = "from the cache:" if one.cached else "compiled"
            self._progress.note(
                f"{origin} {shape} in {one.seconds:.1f} s; "
                f"{one.multiply_adds / 1e9:.2f}e9 multiply-adds a step, forward and backward"
            )
            compiled[shape] = one
        self._writer.write_timing(step, "compile", compile_cost(list(compiled.values())))
        return compiled

    def _input_throughput(self, step: int) -> InputThroughput:
        first = min(step + STEPS, self.plan.total - 1)

        def measure() -> float:
            with self._clock.paused(), self._timer.phase("starting"):
                return input_rate(self._batches, self._config.data.threads, first)

        def tell(line: str, rates: dict[str, float]) -> None:
            self._writer.write_timing(step, "input_throughput", rates)
            self._progress.note(line)

        return InputThroughput(measure, tell)

    def _load(self) -> dict[str, np.ndarray]:
        batch: dict[str, np.ndarray] = next(self._data)
        self._bad.note(batch)
        return batch

    def _log(self, step: int) -> None:
        self._log_epochs()
        numbers = self._meter.averages()
        numbers["lr"] = float(self._rate(step - 1))
        self._bad.agree()
        numbers["unreadable"] = self._bad.unreadable
        self._writer.write(step, "train", numbers)
        lap = self._clock.lap()
        speed = {
            "seconds": self._clock.seconds,
            "clips_per_second": lap.clips_per_second,
            "flops_per_second": lap.flops_per_second,
            "input_wait": lap.waiting,
        }
        self._writer.write_timing(step, "train", speed)
        self._left.update(step)
        left = str(self._left)
        text = progress_text(step, self.plan.total, numbers, lap.clips_per_second, left)
        self._progress.show(text, final=step == self.plan.total)
        self._goodput.log_occasionally(step)

    def _log_epochs(self) -> None:
        for step, numbers in self._meter.ended_epochs():
            self._writer.write(step, EPOCH, {"epoch": self.plan.epochs(step), **numbers})

    def _save(self, step: int, state: TrainState) -> None:
        self._log_epochs()
        self._bad.agree()
        run = {
            "data": self._data.get_state(),
            "meter": self._meter.sums(),
            "epoch": self._meter.epoch_sums(),
            "bad_videos": dict(self._bad.counts),
            "seconds": self._clock.seconds,
        }
        with self._timer.phase("checkpoints"):
            # Lines before a checkpoint must be on disk before it.
            self._writer.flush()
            self._checkpoints.save(step, state, run)
        self._goodput.log(step)

    def _evaluate(self, state: TrainState, step: int) -> None:
        def show(done: int, total: int) -> None:
            self._progress.show(f"step {step}: evaluating {self._scorer.name} {done}/{total}")

        start = self._clock.seconds
        scored = self._scorer.score(state.variables, show)
        summary = summarize(scored.scores, scored.labels, self._network.classes)
        if is_first():
            self._scorer.report(self._workdir, step, scored, self._progress.note)
        barrier("the report", DAYS)
        if main_score(summary) > self._checkpoints.best_score():
            self._checkpoints.mark_best(step, main_score(summary))
        # Written last, because an evaluation with a line is not done again.
        self._writer.write(step, self._scorer.name, {**numbers_of(summary), **scored.readings})
        took = duration(self._clock.seconds - start)
        self._progress.note(f"step {step}: {self._scorer.name} {as_text(summary)} in {took}")
        self._clock.restart_lap()

    def _give_up(self, error: NonFiniteError) -> None:
        """Saves the batch of the failing step, which is determined by the step number."""
        part = f"-process{jax.process_index()}" if jax.process_count() > 1 else ""
        file = self._workdir / f"non-finite-step{error.step}{part}.npz"
        batch = self._batches[error.step - 1]
        with writing_bytes(file) as stream:
            np.savez(stream, **batch)
        error.add_note(f"Its batch is in {file}; a lower optimizer.lr or clip_norm may help")
        raise error
