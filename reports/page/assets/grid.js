// Tables of a few dozen rows: sortable by buttons in their headers, scrolling in a box of their own.

const gridStates = new Map(); // name -> {by, down}: outlives an update of the page

// columns: [{key, label, title, right, cell(row) -> node or text, sort(row) -> number or text}].
// rows: places in a table, in the order in which they stand at first. file, table: for the CSV button.
function grid({ name, label, columns, rows, table, file, mark }) {
  const state = gridStates.get(name) || { by: null, down: false };
  gridStates.set(name, state);
  const body = el("tbody");
  const heads = columns.map((column) => header(column, state, () => draw()));

  function draw() {
    const chosen = columns.find((column) => column.key === state.by);
    const now = chosen ? sorted(rows, chosen.sort, state.down) : rows;
    body.replaceChildren(
      ...now.map((row) =>
        el(
          "tr",
          { class: mark ? mark(row) : null },
          columns.map((column, i) =>
            el(i ? "td" : "th", { class: column.right ? "right" : null, scope: i ? null : "row" }, column.cell(row)),
          ),
        ),
      ),
    );
    heads.forEach((head, i) => tellSort(head, columns[i].key, state));
  }

  draw();
  const shown = el("table", { "aria-label": label }, el("thead", {}, el("tr", {}, heads)), body);
  const box = el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": label }, shown);
  if (!file) return box;
  return el("div", {}, box, el("div", { class: "below" }, csvButton(file, () => [table, rows])));
}

function header(column, state, changed) {
  const head = el("th", { scope: "col", class: column.right ? "right" : null, "data-column": column.key });
  if (!column.sort) {
    head.append(column.head || el("span", { class: "plain", title: column.title }, column.label));
    return head;
  }
  const press = () => {
    if (state.by !== column.key) [state.by, state.down] = [column.key, Boolean(column.downFirst)];
    else state.down = !state.down;
    changed();
  };
  const attributes = { type: "button", class: "sort", title: column.title, onclick: press };
  const arrow = el("span", { class: "arrow", "aria-hidden": "true" });
  head.append(el("button", attributes, column.right ? [arrow, column.label] : [column.label, arrow]));
  return head;
}

function tellSort(head, key, state) {
  if (!head.querySelector("button.sort")) return;
  const on = state.by === key;
  head.setAttribute("aria-sort", on ? (state.down ? "descending" : "ascending") : "none");
  head.querySelector(".arrow").textContent = on ? (state.down ? "↓" : "↑") : "";
}

function sorted(rows, by, down) {
  const sign = down ? -1 : 1;
  const absent = (value) => value === null || value === undefined || value === "";
  const compare = new Intl.Collator("en", { numeric: true }).compare;
  return [...rows].sort((a, b) => {
    const [x, y] = [by(a), by(b)];
    if (absent(x) || absent(y)) return absent(x) - absent(y);
    return sign * (typeof x === "string" ? compare(x, String(y)) : x - y);
  });
}

// A column that shows a value of `table` as its name and kind say.
function plainColumn(table, name, label, more) {
  const kind = table.kinds.get(name);
  return {
    key: name,
    label,
    right: kind === "int" || kind === "float",
    sort: (row) => table.get(name, row),
    cell: (row) => shown(name, kind, table.get(name, row)),
    ...more,
  };
}

// A column of a quantity whose numerals stand below each other.
function quantityColumn(table, name, label, unit, more) {
  const cellOf = (row) => quantity(table.get(name, row), unit);
  return plainColumn(table, name, label, { right: true, cell: cellOf, ...more });
}
