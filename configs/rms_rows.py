"""Rows of the RMS paper's tables by name, with the settings that differ from the table's.

`rms` and `rms_gf` are the method as the paper recommends it: one alpha from N(1, 0.5) per clip, in
stages 3 and 4 (res4 and res5), before both norms of a basic block and before the last norm of a
bottleneck; the low-pass filter is a 3x3x3 mean or a Gaussian. These are the method's defaults, and
the drops' defaults are those of table 2. A run that several tables have has all of their names.
"""

from typing import Any

Row = dict[str, Any]


def _options(**options: Any) -> Row:
    return {"model": {"options": options}}


def _at(*points: str) -> Row:
    return _options(random_scaling={"at": points})


def _alpha(*distribution: str | float, target: str = "mean") -> Row:
    return _options(random_scaling={"target": target, "distribution": distribution})


def _gaussian(std: float) -> Row:
    return _options(random_scaling={"low_pass": "gaussian", "std": std})


METHODS = {"baseline": {}, "rms": _options(random_scaling={}), "rms_gf": _gaussian(0.4)}
_OTHERS = {name: _options(residual_drop=name) for name in ("random_drop", "shake_drop")}
TABLE_2 = METHODS | _OTHERS | {"cutmix": {"train": {"cutmix": 1.0}}}
_POINTS = ("conv1", "norm1", "act1", "conv2", "norm2", "act2")
TABLE_1A = {f"before_{point}": _at(point) for point in _POINTS}
TABLE_1A["before_norms"] = _at("norm1", "norm2")
TABLE_1A_50 = {f"before_norm{place}": _at(f"norm{place}") for place in (1, 2, 3)}
TABLE_1B = {f"normal_{std}": _alpha("normal", 1.0, std) for std in (0.3, 0.5, 0.7)}
for _low, _high in ((0.5, 1.5), (0.0, 2.0), (-0.5, 2.5)):
    TABLE_1B[f"uniform_{_low}_{_high}"] = _alpha("uniform", _low, _high)
TABLE_1C = {
    f"{target}_{std}": _alpha("normal", 1.0, std, target=target)
    for target in ("mean", "input", "residual")
    for std in (0.3, 0.5)
}
TABLE_1D = {f"gaussian_{std}": _gaussian(std) for std in (0.4, 1.0, 2.0)}
MINI_KINETICS = {
    "slowonly_34": TABLE_2 | TABLE_1A | TABLE_1B | TABLE_1C | TABLE_1D,
    "slowonly_50": TABLE_2 | TABLE_1A_50 | {"gaussian_0.4": _gaussian(0.4)},
}
