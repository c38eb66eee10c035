// Sorts long tables by the column whose title is clicked, or chosen with Enter or the space bar.
(() => {
  const FEWEST_ROWS = 8;

  const UNITS = { k: 1e3, M: 1e6, G: 1e9 };

  // "12,697,264", "5.9 k", "111.151 G" and "16x224x224, stride 2" begin with numbers; "-" is last.
  const numberOf = (text) => {
    const found = /^(-?[\d,]*\.?\d+)(?: ([kMG])$)?/.exec(text);
    return found ? Number(found[1].replaceAll(",", "")) * (UNITS[found[2]] ?? 1) : NaN;
  };

  const compare = (a, b) => {
    const difference = numberOf(a) - numberOf(b);
    return difference || a.localeCompare(b, "en", { numeric: true });
  };

  const sort = (table, column, descending) => {
    const body = table.tBodies[0];
    const text = (row) => row.cells[column].textContent.trim();
    const rows = Array.from(body.rows);
    const known = rows.filter((row) => text(row) !== "-" && text(row) !== "");
    const unknown = rows.filter((row) => !known.includes(row));
    known.sort((a, b) => compare(text(a), text(b)) * (descending ? -1 : 1));
    body.append(...known, ...unknown);
  };

  const makeSortable = (table) => {
    const titles = Array.from(table.tHead.rows[0].cells);
    titles.forEach((title, column) => {
      title.tabIndex = 0;
      title.classList.add("sortable");
      title.title = `Sort by ${title.textContent.trim()}`;
      const choose = () => {
        const descending = title.getAttribute("aria-sort") === "ascending";
        titles.forEach((each) => each.removeAttribute("aria-sort"));
        title.setAttribute("aria-sort", descending ? "descending" : "ascending");
        sort(table, column, descending);
      };
      title.addEventListener("click", choose);
      title.addEventListener("keydown", (event) => {
        if (event.key !== "Enter" && event.key !== " ") return;
        event.preventDefault();
        choose();
      });
    });
  };

  const start = () => {
    const tables = Array.from(document.querySelectorAll("article table"));
    tables
      .filter((table) => table.tHead && table.tBodies[0]?.rows.length >= FEWEST_ROWS)
      .forEach(makeSortable);
  };

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
