"""Limits how long libraries retry failed requests to a store: to about a minute."""

from __future__ import annotations

import contextlib

# TensorStore's defaults would take a quarter of an hour. These waits add up to 47 s.
OF_TENSORSTORE = {"max_retries": 6, "initial_delay": "1s", "max_delay": "16s"}


def limit_retries() -> None:
    """Limits TensorStore's retries in Orbax, which has no setting for that."""
    # Orbax creates each of its contexts from one of these.
    with contextlib.suppress(ImportError):
        from orbax.checkpoint._src.serialization import tensorstore_utils

        for name in ("_BASE_TS_CONTEXT", "_DEFAULT_OCDBT_TS_CONTEXT"):
            getattr(tensorstore_utils, name, {})["gcs_request_retries"] = OF_TENSORSTORE
