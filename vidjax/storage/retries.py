"""How long libraries try again what a store has refused for the moment: about a minute."""

from __future__ import annotations

import contextlib

# TensorStore's own settings would take a quarter of an hour. These waits make 47 s.
OF_TENSORSTORE = {"max_retries": 6, "initial_delay": "1s", "max_delay": "16s"}


def bound() -> None:
    """Bounds the patience of TensorStore where Orbax uses it, which has no setting for that."""
    # Orbax makes each of its contexts from one of these.
    with contextlib.suppress(ImportError):
        from orbax.checkpoint._src.serialization import tensorstore_utils

        for name in ("_BASE_TS_CONTEXT", "_DEFAULT_OCDBT_TS_CONTEXT"):
            getattr(tensorstore_utils, name, {})["gcs_request_retries"] = OF_TENSORSTORE
