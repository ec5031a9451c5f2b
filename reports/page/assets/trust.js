// Cheap metrics: how well each has ranked algorithms, held against the most real joules there are.

const TRUST = {
  yes: ["met", "can be trusted"],
  roughly: ["open", "roughly"],
  no: ["refuted", "cannot be trusted"],
  open: ["open", "not known"],
};

function renderTrust(body) {
  const table = page.tables.audit;
  if (!table.rows) {
    body.append(emptyNote("No board here has finished runs to hold metrics against each other.", "bench run -m task=sparse_parity algo=xor_elimination,backprop seed=0,1,2"));
    return;
  }
  const telling = [];
  const silent = [];
  for (const group of table.groups((row) => table.get("board", row))) {
    (table.get("rung", group[1][0]) ? telling : silent).push(group);
  }
  for (const [name, rows] of telling) body.append(trustBoard(table, name, rows));
  if (!silent.length) return;
  body.append(
    el("h3", {}, telling.length ? "Boards that cannot tell yet" : "No board can tell yet"),
    el(
      "ul",
      { class: "plainlist" },
      silent.map(([name, rows]) => el("li", {}, el("span", { class: "name" }, name), el("span", { class: "muted" }, ` ${table.get("sentence", rows[0])}`))),
    ),
    el("div", { class: "below" }, csvButton("audit", () => [table, null])),
  );
}

function trustBoard(table, name, rows) {
  const [task, ...rest] = name.split(" / ");
  const columns = [
    plainColumn(table, "rung", "cheap figure", { cell: (row) => el("span", { class: "name" }, rungName(table.get("rung", row))) }),
    { key: "trust", label: "may it stand in?", sort: (row) => table.get("trust", row), cell: (row) => stateTag(...(TRUST[table.get("trust", row)] || TRUST.open)) },
    plainColumn(table, "tau", "Kendall's τ", { cell: (row) => (table.get("tau", row) === null ? NONE : table.get("tau", row).toFixed(2)), title: "1: the same ranking, -1: the opposite one" }),
    {
      key: "interval",
      label: "95 % interval, -1 … 1",
      cell: (row) => {
        const [low, high] = [table.get("tau_low", row), table.get("tau_high", row)];
        const text = low === null ? "not known" : `${low.toFixed(2)} … ${high.toFixed(2)}`;
        return el("span", { title: text }, hidden(text), correlation(low, table.get("tau", row), high));
      },
    },
    plainColumn(table, "worst_times", "worst choice", { cell: (row) => times(table.get("worst_times", row)), title: "How many times as dear the worst choice by this figure is" }),
    plainColumn(table, "algorithms", "algorithms"),
    plainColumn(table, "sentence", "in words", { sort: null, cell: (row) => el("span", { class: "sentence" }, table.get("sentence", row), table.get("note", row) ? ` (${table.get("note", row)})` : null) }),
  ];
  return el(
    "div",
    { class: "plane" },
    el("div", { class: "figure-top" }, el("h3", {}, task, el("span", { class: "against" }, ` ${rest[0] ?? ""}`)), el("span", { class: "tags" }, el("span", { class: "muted" }, "held against"), sourceTag(table.get("reference", rows[0])), rest.slice(1).map((text) => tag(text)))),
    grid({ name: `audit ${name}`, label: `Cheap metrics of ${name}`, columns, rows, table, file: "audit" }),
  );
}

function rungName(rung) {
  return METRICS[rung] || { cpu_s: "CPU time" }[rung] || String(rung ?? NONE).replace(":", ": ");
}
