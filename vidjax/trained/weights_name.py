"""Parses the text that names a trained network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vidjax.models.model_list import list_models
from vidjax.storage.paths import as_path


class WeightsError(ValueError):
    """The named weights do not exist, or cannot be used."""


@dataclass(frozen=True)
class WeightsName:
    """The requested weights.

    Attributes:
      network: name of the network if the text states it, else empty.
      place: the rest: a path, or the tag of published weights.
      options: options of the network, besides those that the weights determine.
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
        """The text as it was given."""
        return f"{self.network}:{self.place}" if self.network else self.place

    @classmethod
    def parse(cls, text: str, options: Mapping[str, Any] | None = None) -> WeightsName:
        """Parses `NETWORK:PLACE`; without the name of a network, the whole text is the place."""
        network, colon, place = text.partition(":")
        if colon and not as_path(text).exists() and network in list_models():
            return cls(network, place, options or {})
        return cls("", text, options or {})
