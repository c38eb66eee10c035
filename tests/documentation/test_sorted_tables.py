"""Tables of the site are sorted by a click on a title, in headless Chromium."""

import pytest

from tests.browser import browser
from tests.documentation.pages import ROOT

SCRIPT = ROOT / "docs/javascripts/sort-tables.js"
ROWS = (
    ("tsn_50", "24,327,632", "32.9 G", "2023-10-12"),
    ("x3d_m", "3,794,274", "4.732 G", "2026-03-16"),
    ("none", "-", "-", "-"),
    ("cifar", "1,756,064", "253 M", "2023-01-05"),
    ("i3d", "12,697,264", "111.151 G", "2026-05-05"),
    ("small", "464", "442 k", "2020-01-01"),
    ("mfnet", "8,000,000", "11 G", "2021-01-01"),
    ("mtnet_s", "9,000,000", "1.1 G", "2022-01-01"),
)


def table(rows):
    lines = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    titles = "".join(f"<th>{name}</th>" for name in ("network", "parameters", "MAC", "date"))
    return f"<table><thead><tr>{titles}</tr></thead><tbody>{lines}</tbody></table>"


@pytest.fixture(scope="module")
def tab(tmp_path_factory):
    file = tmp_path_factory.mktemp("page") / "page.html"
    ready = "<script>document.documentElement.dataset.ready = 'yes'</script>"
    file.write_text(
        f"<!doctype html><article>{table(ROWS)}{table(ROWS[:7])}</article>"
        f"<script>{SCRIPT.read_text()}</script>{ready}",
        encoding="utf-8",
    )
    with browser() as opened:
        opened.show(file, 1200, 800)
        yield opened
        assert opened.complaints == []


def order(tab):
    return tab.value("[...document.querySelector('tbody').rows].map(row => row.cells[0].innerText)")


def expected(value):
    known = sorted((row for row in ROWS if row[1] != "-"), key=value)
    return [row[0] for row in known]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        (1, lambda row: int(row[1].replace(",", ""))),
        (2, lambda row: float(row[2][:-2]) * {"k": 1e3, "M": 1e6, "G": 1e9}[row[2][-1]]),
        (3, lambda row: row[3]),
    ],
    ids=["parameters", "MAC", "date"],
)
def test_a_title_sorts_and_sorts_the_other_way_round_and_unknown_comes_last(tab, column, value):
    title = f"document.querySelectorAll('th')[{column}]"
    tab.click(title)
    assert tab.value(f"{title}.ariaSort") == "ascending"
    assert order(tab) == [*expected(value), "none"]
    tab.value(f"{title}.focus()")
    tab.press("Enter")
    assert tab.value(f"{title}.ariaSort") == "descending"
    assert order(tab) == [*expected(value)[::-1], "none"]


def test_short_tables_are_left_alone(tab):
    assert tab.value("document.querySelectorAll('table')[1].querySelector('.sortable')") is None
