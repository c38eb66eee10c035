"""The text that names a trained network, taken apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vidjax.models.model_list import list_models
from vidjax.storage.paths import as_path


class WeightsError(ValueError):
    """There are no weights of this name, or they cannot be used."""


@dataclass(frozen=True)
class Wanted:
    """Which weights.

    Attributes:
      network: its name, where the text says it; else empty.
      place: what follows: a path, or the tag of published weights.
      options: of the network beside those that the weights determine.
    """

    network: str
    place: str
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def path(self) -> Path:
        """The place as a path, which need not exist."""
        return as_path(self.place)

    @property
    def text(self) -> str:
        """As it was given."""
        return f"{self.network}:{self.place}" if self.network else self.place

    @classmethod
    def parse(cls, text: str, options: Mapping[str, Any] | None = None) -> Wanted:
        """Takes apart `NETWORK:PLACE`; where no network is called so, all of it is a place."""
        network, colon, place = text.partition(":")
        if colon and not as_path(text).exists() and network in list_models():
            return cls(network, place, options or {})
        return cls("", text, options or {})
