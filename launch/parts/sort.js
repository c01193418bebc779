// Tables: a press on a column's name sorts the rows by it, another one the other way.

/** Returns a number that tells which of two cells comes first; empty ones come last. */
function compare(one, other, numeric, sign) {
  const [a, b] = [one.dataset.key, other.dataset.key];
  if (a === undefined || b === undefined) return (a === undefined) - (b === undefined);
  const order = numeric
    ? Number(a) - Number(b)
    : a.localeCompare(b, "en", { numeric: true });
  return sign * order;
}

function sort(table, head, place) {
  const up = head.getAttribute("aria-sort") !== "ascending";
  for (const other of head.parentNode.cells) other.setAttribute("aria-sort", "none");
  head.setAttribute("aria-sort", up ? "ascending" : "descending");
  const numeric = head.classList.contains("number");
  const body = table.tBodies[0];
  const rows = [...body.rows].sort((a, b) =>
    compare(a.cells[place], b.cells[place], numeric, up ? 1 : -1));
  body.append(...rows);
}

for (const table of document.querySelectorAll("table.sortable")) {
  [...table.tHead.rows[0].cells].forEach((head, place) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    button.addEventListener("click", () => sort(table, head, place));
    head.replaceChildren(button);
  });
}
