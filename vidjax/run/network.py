"""The network of a configuration: module, normalisation, optimiser and initial state."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
from jax.sharding import Mesh

from vidjax.data.left_right_labels import refuse_mirrors
from vidjax.data.optical_flow import STILL
from vidjax.data.targets import Targets
from vidjax.data.transforms import normalize
from vidjax.data.views import Views
from vidjax.models.interface import channels_of
from vidjax.models.model_list import model_card, variant
from vidjax.models.registry import Guesses, Reading, create_model, guesses, readings
from vidjax.models.stage_depths import stage_depths
from vidjax.run import sharding
from vidjax.run.config import Config, ConfigError
from vidjax.run.freezing import check_batch_norm, check_scan, frozen, train_part
from vidjax.run.guesses import right_guesses
from vidjax.run.layerwise_learning_rates import check_rates, factor_of, with_rates
from vidjax.run.optimizer import make_optimizer
from vidjax.run.state import TrainState, init_state, state_like


@dataclass(frozen=True)
class Network:
    """A configuration's network for given classes, on a mesh of devices.

    Attributes:
      config: the configuration.
      classes: class names, in the order of the logits.
      mesh: all devices.
    """

    config: Config
    classes: tuple[str, ...]
    mesh: Mesh

    @classmethod
    def of(cls, config: Config, classes: tuple[str, ...]) -> Network:
        """Makes the network on all devices.

        Raises:
          ValueError: the mesh, the network's name or an option does not fit.
        """
        network = cls(config, classes, sharding.make_mesh(config.mesh))
        # Created right away, so that errors come early.
        _require_channels(config, channels_of(network.module))
        return network

    @property
    def mean(self) -> tuple[float, ...]:
        """Mean of red, green and blue in [0, 1] that it expects, or of flow's x and y."""
        if self.config.data.flow and not self.config.model.mean:
            return (STILL / 255,) * 2
        return self.config.model.mean or model_card(self.config.model.name).mean

    @property
    def std(self) -> tuple[float, ...]:
        """Standard deviation of red, green and blue in [0, 1], or of flow's x and y.

        For flow it is the mean of the three colours' (yjxiong/tsn-pytorch).
        """
        colours = model_card(self.config.model.name).std
        if self.config.data.flow and not self.config.model.std:
            return (sum(colours) / len(colours),) * 2
        return self.config.model.std or colours

    @functools.cached_property
    def module(self) -> nn.Module:
        """The linen module."""
        return create_model(
            self.config.model.name,
            num_classes=len(self.classes),
            dtype=jnp.dtype(self.config.dtype),
            **self._norm_option(),
            **self.config.model.options,
        )

    @property
    def reading(self) -> Reading | None:
        """Reads the values that the network's methods report about a batch."""
        return readings(self.config.model.name, self.config.model.options)

    @property
    def guesses(self) -> Guesses | None:
        """Reads the classes that the network's methods predict for a batch."""
        return guesses(self.config.model.name, self.config.model.options)

    def _norm_option(self) -> dict[str, int]:
        choice = self.config.train.batch_norm
        part = self.config.train.batch_size // self.config.train.accumulate
        if choice == "global":
            return {}
        if choice == "per_device":
            return {"norm_group_size": max(1, part // self.mesh.size)}
        group = self.config.train.norm_group
        if group and part % group == 0:
            return {"norm_group_size": group}
        raise ConfigError(
            f"train.batch_norm = {choice!r}: 'global', 'per_device' or a number of clips that "
            f"divides the {part} computed at once"
        )

    @property
    def targets(self) -> Targets:
        """How the labels of its clips become arrays."""
        return Targets(len(self.classes) if self.config.data.multi_label else None)

    @property
    def clip_shape(self) -> tuple[int, int, int, int]:
        """`(T, H, W, C)` of a training clip: C is 3, or 2 L for flow."""
        clip = self.config.clip
        return (clip.frames, clip.size, clip.size, self.config.data.channels)

    @property
    def views(self) -> Views:
        """The evaluation protocol.

        Raises:
          ValueError: the protocol mirrors crops, but labels distinguish left and right.
        """
        config, clip = self.config.eval, self.config.clip
        views = Views(
            config.clips,
            config.crops,
            config.size,
            dataclasses.replace(clip, frames=config.frames or clip.frames),
            config.short_side,
            config.stretched,
        )
        if views.mirrors and not self.config.augment.flip_sided:
            refuse_mirrors(self.classes, f"eval.crops = {config.crops}", "eval.crops=3")
        return views

    def check_mirroring(self) -> None:
        """Refuses to train on mirrored clips if labels distinguish left and right.

        Raises:
          ValueError: names two of the labels, and the setting to change.
        """
        augment = self.config.augment
        if augment.flip and not augment.flip_sided:
            refuse_mirrors(self.classes, f"augment.flip = {augment.flip:g}", "augment.flip=0")

    def optimizer(self, rate: optax.Schedule) -> optax.GradientTransformationExtraArgs:
        """Makes the optimiser with a learning-rate schedule."""
        config, train = self.config.optimizer, self.config.train
        optimizer = make_optimizer(config, rate)
        if config.lr_factors or self._depths is not None:
            optimizer = with_rates(optimizer, factor_of(config, self._depths))
        if train.train_only or train.frozen:
            return train_part(optimizer, train.train_only, train.frozen)
        return optimizer

    def check_training(self) -> None:
        """Refuses an optimiser, or names of parts, that do not fit the network; computes nothing.

        Raises:
          ConfigError: names the setting.
        """
        config, train = self.config.optimizer, self.config.train
        make_optimizer(config, optax.constant_schedule(0.0))
        if train.frozen_batch_norm:
            check_batch_norm(self.module, (1, *self.clip_shape), "train.frozen_batch_norm")
        if train.partial_batch_norm:
            check_batch_norm(self.module, (1, *self.clip_shape), "train.partial_batch_norm", 2)
        if self.config.eval.frames:
            self._check_eval_frames()
        if train.train_only or train.frozen or config.lr_factors or self._depths is not None:
            clip = jax.ShapeDtypeStruct((1, *self.clip_shape), jnp.float32)
            init = functools.partial(self.module.init, jax.random.key(0), train=False)
            params = jax.eval_shape(init, clip)["params"]
            held = frozen(params, train.train_only, train.frozen)
            check_rates(config, params, held, self._depths)
            if self.config.model.options.get("scan"):
                check_scan(params, train.frozen)

    def _check_eval_frames(self) -> None:
        """Refuses an evaluation clip length that the trained network would not accept."""
        frames, init = self.config.eval.frames, functools.partial(self.module.init, train=False)
        (_, *sizes), key = self.clip_shape, jax.random.key(0)
        try:
            ours, theirs = (
                jax.eval_shape(init, key, jax.ShapeDtypeStruct((1, length, *sizes), jnp.float32))
                for length in (self.config.clip.frames, frames)
            )
        except ValueError as error:
            raise ConfigError(f"eval.frames = {frames}: {error}") from None
        if ours != theirs:
            raise ConfigError(
                f"eval.frames = {frames}: the parameters of {self.config.model.name} depend on the "
                f"number of frames, and it trains on {self.config.clip.frames}; leave it out"
            )

    @functools.cached_property
    def _depths(self) -> Mapping[str, int] | None:
        """Returns the depths of the network's modules; None if the learning rate ignores them."""
        decay = self.config.optimizer.layer_decay
        if decay == 1:
            return None
        try:
            return stage_depths(self.module, (1, *self.clip_shape))
        except ValueError as error:
            raise ConfigError(
                f"optimizer.layer_decay = {decay!r} with {self.config.model.name}: {error}; set it "
                "to 1, and use optimizer.lr_factors instead"
            ) from None

    def init(self, optimizer: optax.GradientTransformation) -> tuple[TrainState, Any]:
        """Makes the initial state and its shardings."""
        return init_state(
            self.module,
            optimizer,
            (1, *self.clip_shape),
            seed=self.config.seed,
            ema=self.config.train.ema > 0,
            mesh=self.mesh,
        )

    def state_like(self, optimizer: optax.GradientTransformation) -> Any:
        """Returns shapes, dtypes and shardings of the state that `init` makes."""
        ema, shape = self.config.train.ema > 0, (1, *self.clip_shape)
        return state_like(self.module, optimizer, shape, ema=ema, mesh=self.mesh)

    def probabilities(self, variables: Any, clip: jax.Array) -> jax.Array:
        """Maps crops uint8 `[B, S, T, H, W, 3]` to probabilities float32 `[B, S, K]`."""
        flat = normalize(clip.reshape(-1, *clip.shape[2:]), self.mean, self.std)
        return self._scaled(self.module.apply(variables, flat, train=False), clip)

    def with_readings(self, variables: Any, clip: jax.Array, label: jax.Array) -> jax.Array:
        """Appends the values that methods report of each crop to the crops' probabilities.

        Args:
          variables: the network's variables.
          clip: crops uint8 `[B, S, T, H, W, 3]`.
          label: int `[B]`, or float `[B, K]` for several labels per video.

        Returns:
          float32 `[B, S, K + R]`; `readings_for` has the names of the last R.
        """
        scores, found = self._scores_and_readings(variables, clip, label)
        return jnp.concatenate([scores, *(each[..., None] for each in found.values())], axis=-1)

    def readings_for(self, clip_shape: tuple[int, ...]) -> tuple[str, ...]:
        """Returns the names of the values that methods report of crops `[B, S, T, H, W, 3]`."""
        if self.reading is None and self.guesses is None:
            return ()
        clip = jax.ShapeDtypeStruct(clip_shape, jnp.uint8)
        label = jax.ShapeDtypeStruct((clip_shape[0],), jnp.int32)
        flat = jax.ShapeDtypeStruct((1, *clip_shape[2:]), jnp.float32)
        init = functools.partial(self.module.init, jax.random.key(0), train=False)
        variables = jax.eval_shape(init, flat)
        return tuple(jax.eval_shape(self._scores_and_readings, variables, clip, label)[1])

    def _scores_and_readings(
        self, variables: Any, clip: jax.Array, label: jax.Array
    ) -> tuple[jax.Array, dict[str, jax.Array]]:
        flat = normalize(clip.reshape(-1, *clip.shape[2:]), self.mean, self.std)
        logits, state = self.module.apply(variables, flat, train=False, mutable=["intermediates"])
        sown, labels = state.get("intermediates", {}), jnp.repeat(label, clip.shape[1], axis=0)
        found = self.reading(sown, logits) if self.reading else {}
        if self.guesses:
            found |= right_guesses(self.guesses(sown), labels)
        rows = {name: found[name].astype(jnp.float32) for name in sorted(found)}
        return self._scaled(logits, clip), {k: v.reshape(clip.shape[:2]) for k, v in rows.items()}

    def _scaled(self, logits: jax.Array, clip: jax.Array) -> jax.Array:
        scale = jax.nn.sigmoid if self.config.data.multi_label else jax.nn.softmax
        return scale(logits.astype(jnp.float32)).reshape(*clip.shape[:2], -1)


def _require_channels(config: Config, channels: int) -> None:
    """Refuses a network whose number of input channels differs from its input's.

    Raises:
      ConfigError: names both numbers, and the fix.
    """
    given, name = config.data.channels, config.model.name
    if channels == given:
        return
    fix = "set data.input='frames'"
    if "channels" in variant(name).options:
        fix = f"set model.options.channels={given}"
    if config.data.flow and not channels % 2:
        fix += f", or data.flow_pairs={channels // 2}"
    pairs = f" and data.flow_pairs = {config.data.flow_pairs}" if config.data.flow else ""
    raise ConfigError(
        f"{name} takes {channels} channels per frame, but data.input = "
        f"{config.data.input!r}{pairs} gives {given}: {fix}"
    )
