"""Tables without training: our parameters and multiply-adds beside the papers' numbers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from scipy import stats

from vidjax.evaluation.cost import Cost, count_cost
from vidjax.evaluation.significance import edwards
from vidjax.models.registry import create_model

from ..runs.markdown import rows as rows_of
from .paper_row import Contingency, Network, PaperRow
from .table import Table

# Counts that differ by more than this share are marked, with a reason.
TOLERANCE = 0.02
MARK = "*"
_NO_REASON = "not known"
FACTS: Mapping[str, str] = {
    "pre": "pre-training",
    "arch": "architecture",
    "data": "data set",
    "input": "input",
    "backbone": "backbone",
    "layers": "layers",
    "blocks": "blocks",
    "channels": "channels",
    "affection": "lambda",
    "top1_deviation": "± top-1",
    "top5_deviation": "± top-5",
    "forward": "forward, ms",
    "backward": "backward, ms",
    "latency": "added, ms",
    "back_step": "a back-step, ms",
    "theta": "theta",
}
MEANING = (
    "Here you can look up every table of the papers, with our counts beside the printed ones and "
    "the configuration that trains each row. Numbers are the papers' own, except in columns with "
    "*ours*, which we counted.\n\n"
    "- **Multiply-adds** are in 1e9 (G). They are those of convolutions and matrix products for "
    "one clip of the given size. Regularisers and pooling need none, and the tests of gates next "
    "to none, so they are not counted.\n"
    "- **Parameters** are in millions (M). The networks have 400 classes, except where a table "
    "prints no count.\n"
    f"- **`{MARK}`** marks a count that differs from the printed one by more than 2 %. The last "
    "column says why.\n"
    "- **trained by** is a configuration for `vidjax train --config=...`, with the number of "
    "settings that the table changes in it. *printed only* means that the paper took the number "
    "from elsewhere and that vidjax has no configuration for it; our counts are those of the named "
    "network."
)


class Counter:
    """Counts the costs of networks, each network once."""

    def __init__(self, told: Callable[[str], None] = lambda text: None) -> None:
        self._known: dict[str, Cost] = {}
        self._told = told

    def count(self, network: Network) -> Cost:
        """Counts the parameters and multiply-adds of a network; computes shapes only.

        Raises:
          ValueError: the network or an option is unknown.
        """
        options = dict(network.options)
        key = json.dumps([network.name, network.clip, network.classes, options], default=str)
        if key not in self._known:
            self._told(f"counting {network.name}, {network.clip}")
            model = create_model(network.name, num_classes=network.classes, **options)
            clip = (network.frames, network.size, network.size)
            self._known[key] = count_cost(model, clip)
        return self._known[key]


@dataclass(frozen=True)
class Line:
    """A row with our counts.

    Attributes:
      row: the row of the paper.
      macs: our multiply-adds in 1e9; None if no network here builds the row.
      params: our parameters in millions, or None.
    """

    row: PaperRow
    macs: float | None = None
    params: float | None = None

    @classmethod
    def of(cls, row: PaperRow, counter: Counter) -> Line:
        """Counts the network of a row."""
        if row.network is None:
            return cls(row)
        cost = counter.count(row.network)
        return cls(row, cost.macs / 1e9, cost.params / 1e6)

    @property
    def other_macs(self) -> bool:
        """Whether our multiply-adds differ from the printed operations."""
        return differs(self.macs, self.row.operations)

    @property
    def other_params(self) -> bool:
        """Whether our parameters differ from the printed ones."""
        return differs(self.params, self.row.params)

    @property
    def why(self) -> str:
        """Why the counts differ, or another remark; empty if there is none."""
        needs = self.other_macs or self.other_params
        return self.row.why or (_NO_REASON if needs else "")


def differs(ours: float | None, printed: float | None) -> bool:
    """Returns whether two numbers differ by more than 2 %; False if one is missing."""
    return ours is not None and printed is not None and abs(ours / printed - 1) > TOLERANCE


def render(table: Table, counter: Counter) -> str:
    """Returns a table as a section of Markdown."""
    lines = [Line.of(row, counter) for row in table.printed]
    columns = [column for column in _columns(lines) if any(map(column[1], lines))]
    cells = ([cell(line) for _, cell in columns] for line in lines)
    head = f"## {table.name}: {table.title}\n\nSource: {table.source}."
    return f"{head}\n\n{rows_of([title for title, _ in columns], cells)}"


def page(tables: Iterable[Table], made: str, counter: Counter) -> Iterator[str]:
    """Yields the sections of a Markdown page with all tables.

    Args:
      tables: the tables; those without rows of a paper are left out.
      made: command, hardware and date.
      counter: counts the networks.
    """
    yield f"# The papers' tables\n\n{MEANING}\n\n{made}"
    for table in tables:
        if table.printed:
            yield f"\n{render(table, counter)}"


Column = tuple[str, Callable[[Line], str]]


def _columns(lines: Sequence[Line]) -> list[Column]:
    known = {key for line in lines for key in line.row.facts}
    facts = [(title, _fact(key)) for key, title in FACTS.items() if key in known]
    return [
        ("row", lambda line: line.row.label),
        *facts,
        ("top-1 %", lambda line: printed_number(line.row.top1)),
        ("top-5 %", lambda line: printed_number(line.row.top5)),
        ("GFLOPs", printed_operations),
        ("ours, multiply-adds (G)", our_macs),
        ("parameters (M)", lambda line: printed_number(line.row.params)),
        ("ours, parameters (M)", lambda line: our_count(line.params, line.other_params)),
        *_TESTS,
        ("trained by", _trained),
        ("why ours differ", lambda line: line.why),
    ]


def _fact(key: str) -> Callable[[Line], str]:
    return lambda line: line.row.facts.get(key, "")


def printed_number(value: float | None) -> str:
    """Formats a number as the papers print it; empty if there is none."""
    text = "" if value is None else f"{value:g}"
    return f"{text}.0" if text.isdecimal() else text


def our_count(value: float | None, marked: bool) -> str:
    """Formats a count of ours, marked if it differs from the printed one."""
    return "" if value is None else f"{value:.2f}{MARK if marked else ''}"


def printed_operations(line: Line) -> str:
    """Formats the printed operations of a view, and the number of views."""
    views = f" x {line.row.views}" if line.row.views else ""
    return printed_number(line.row.operations) + views


def our_macs(line: Line) -> str:
    """Formats our multiply-adds, and the clip that they are counted for."""
    if line.row.network is None:
        return ""
    return f"{our_count(line.macs, line.other_macs)} ({line.row.network.clip})"


def _trained(line: Line) -> str:
    row = line.row
    if row.config:
        changed = f", {len(row.changes)} changed" if row.changes else ""
        return f"`{row.config}`{changed}"
    built = _built(row.network) if row.network else ""
    return "printed only" + (f": `{built}`" if built else "")


def _built(network: Network) -> str:
    options = ",".join(f"{key}={value}" for key, value in network.options.items())
    return network.name + (f" {options}" if options else "")


def _of_test(cell: Callable[[Contingency], str]) -> Callable[[Line], str]:
    return lambda line: cell(line.row.test) if line.row.test else ""


def _statistic(test: Contingency) -> float:
    return edwards(test.first, test.second)


_TESTS: tuple[Column, ...] = (
    ("both right", _of_test(lambda test: str(test.both))),
    ("only without", _of_test(lambda test: str(test.first))),
    ("only with", _of_test(lambda test: str(test.second))),
    ("neither", _of_test(lambda test: str(test.neither))),
    ("chi-squared", _of_test(lambda test: f"{test.statistic:g}")),
    ("ours, chi-squared", _of_test(lambda test: f"{_statistic(test):.3f}")),
    ("p", _of_test(lambda test: f"{test.p:.1e}")),
    ("ours, p", _of_test(lambda test: f"{stats.chi2.sf(_statistic(test), df=1):.1e}")),
)
