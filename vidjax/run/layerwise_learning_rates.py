"""Learning rates that differ between the parts of a network, including layer-wise decay.

A parameter's update, including its weight decay, is multiplied by the factor of its part
(`optimizer.lr_factors`), and by `optimizer.layer_decay` to the power of the number of stages
between it and the classifier, as in BEiT (Bao et al., ICLR 2022, appendix) and MAE (He et al., CVPR
2022).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import optax

from vidjax.run.network_parts import check_known, innermost, names
from vidjax.run.setting_groups import OptimizerConfig
from vidjax.run.typed_values import ConfigError

Factor = Callable[[Sequence[str]], float]


def factor_of(config: OptimizerConfig, depths: Mapping[str, int] | None) -> Factor:
    """Returns a function from a parameter's path to the factor of its learning rate.

    Args:
      config: has `lr_factors` and `layer_decay`.
      depths: depths of the network's modules (`vidjax.models.stage_depths`); None without layer
        decay.
    """
    deepest = max(depths.values()) if depths else 0

    def factor(path: Sequence[str]) -> float:
        part = innermost(path, config.lr_factors)
        own = 1.0 if part is None else float(config.lr_factors[part])
        return own if depths is None else own * config.layer_decay ** (deepest - depths[path[0]])

    return factor


def with_rates(
    optimizer: optax.GradientTransformation, factor: Factor
) -> optax.GradientTransformationExtraArgs:
    """Wraps an optimiser so that updates are multiplied by the factors of their parameters."""

    def scale(updates: Any, params: Any = None) -> Any:
        del params
        return jax.tree_util.tree_map_with_path(lambda path, x: x * factor(names(path)), updates)

    return optax.chain(optimizer, optax.stateless(scale))


def check_rates(
    config: OptimizerConfig, params: Any, held: Any, depths: Mapping[str, int] | None
) -> None:
    """Refuses factors that match no parameter, or no trained one.

    Args:
      config: has `lr_factors` and `layer_decay`.
      params: the network's parameters, or their shapes.
      held: which of them are frozen, a tree of True and False.
      depths: as in `factor_of`.

    Raises:
      ConfigError: names the setting and the part.
    """
    check_known(params, config.lr_factors, "optimizer.lr_factors")
    flags = jax.tree_util.tree_leaves_with_path(held)
    trained = [names(path) for path, stays in flags if not stays]
    used = {innermost(path, config.lr_factors) for path in trained}
    for part in config.lr_factors:
        if part not in used:
            raise ConfigError(
                f"optimizer.lr_factors has {part!r}, which has no effect: its parameters are not "
                "trained (train.frozen, train.train_only), or another factor counts for them"
            )
    if (
        depths is not None
        and len({depths[path[0]] for path in trained} - {max(depths.values())}) == 0
    ):
        raise ConfigError(
            f"optimizer.layer_decay = {config.layer_decay!r} has no effect, because nothing before "
            "the classifier is trained (train.frozen, train.train_only): set it to 1"
        )
