// Boards: who meets the target on the least energy, each row with its interval on a scale they share.

let boardTask = "";

function renderBoard(body) {
  const table = page.tables.board;
  if (!table.rows) {
    body.append(emptyNote("No finished run is on a board yet.", page.data.about.make_one));
    return;
  }
  const tasks = table.texts("task");
  if (!tasks.some(([task]) => task === boardTask)) boardTask = "";
  const choose = (task) => {
    boardTask = task;
    renderSection("board");
  };
  if (tasks.length > 1) {
    const options = [["", "all tasks"], ...tasks.map(([task, n]) => [task, `${task} (${n})`])];
    body.append(el("div", { class: "controls" }, picker("Task", options, boardTask, choose)));
  }
  const groups = [...table.groups((row) => table.get("board", row))].filter(
    ([, rows]) => !boardTask || table.get("task", rows[0]) === boardTask,
  );
  groups.sort((a, b) => b[1].length - a[1].length); // most is told where most were held against each other
  groups.forEach(([name, rows], i) => body.append(board(table, name, rows, i < 4 || groups.length < 6)));
}

function board(table, name, rows, open) {
  const first = rows.find((row) => table.get("score_name", row)) ?? rows[0];
  const get = (column) => table.get(column, first);
  const source = get("source");
  const finished = rows.filter((row) => table.get("runs", row));
  const best = finished.find((row) => table.get("target_met", row)) ?? null;
  const ends = finished.flatMap((row) => ["energy_low_j", "energy_j", "energy_high_j"].map((end) => table.get(end, row)));
  const scale = logScale(ends);
  const sign = get("score_name") && name.includes(" / bar ") ? boardBar(name) : null;
  const summary = el(
    "summary",
    {},
    el("h3", {}, get("task"), el("span", { class: "against" }, ` ${get("variant")}`)),
    el("span", { class: "tags" }, sign ? tag(sign) : null, sourceTag(source), tag(get("access")), tag(get("device"))),
  );
  const columns = boardColumns(table, rows, first, scale, best);
  const label = `Board of ${get("task")}, ${get("variant")}`;
  const mark = (row) => (row === best ? "best" : null);
  const file = `board_${fileName(get("task"))}`;
  return folded({ class: "board", open }, summary, () => grid({ name: `board ${name}`, label, columns, rows, table, file, mark }));
}

// "bar 1.47 margin 0.02" of a board's name.
function boardBar(name) {
  const part = name.split(" / ").find((piece) => piece.startsWith("bar "));
  return part ? part.replace(" margin ", ", margin ") : null;
}

function boardColumns(table, rows, first, scale, best) {
  const [source, unit] = [table.get("source", first), table.get("score_unit", first) ?? "1"];
  const names = rows.map((row) => table.get("algo", row));
  const several = new Set(names.filter((name, i) => names.indexOf(name) !== i));
  const bestJ = best === null ? null : table.get("energy_j", best);
  const ratio = (row) => (bestJ > 0 && table.get("energy_j", row) > 0 ? table.get("energy_j", row) / bestJ : null);
  const kind = String(source).split(":")[0];
  const failed = (row) => (table.get("failed", row) ? ` + ${table.get("failed", row)} failed` : "");
  return [
    {
      key: "algo",
      label: "algorithm",
      sort: (row) => table.get("algo", row),
      cell: (row) => el("span", { class: "named" }, el("span", { class: "rank" }, String(table.get("rank", row) ?? "")), el("span", { class: "name", title: table.get("algo_config", row) }, table.get("algo", row)), several.has(table.get("algo", row)) ? el("code", { class: "muted", title: "Which of its configurations" }, String(table.get("algo_sha256", row)).slice(0, 6)) : null, table.get("adapts", row) ? tag("adapts") : null),
    },
    quantityColumn(table, "energy_j", `J\u00a0per\u00a0training, ${kind}`, "J", { title: "Median over the runs, gross" }),
    {
      key: "range",
      label: "interval",
      head: rangeHead(scale, "J", `interval of J per training, ${kind}`),
      cell: (row) => el("span", { title: between(table.get("energy_low_j", row), table.get("energy_high_j", row), "J") }, hidden(between(table.get("energy_low_j", row), table.get("energy_high_j", row), "J")), range(scale, table.get("energy_low_j", row), table.get("energy_j", row), table.get("energy_high_j", row), table.get("target_met", row) === false ? "faint" : "")),
    },
    { key: "ratio", label: "to\u00a0the\u00a0best", right: true, title: "J per training against the best row that meets the target", sort: ratio, cell: (row) => (row === best ? "best" : el("span", { class: table.get("target_met", row) ? null : "faded" }, times(ratio(row)))) },
    plainColumn(table, "score", [table.get("score_name", first) ?? "score", unit === "1" ? null : unit].filter(Boolean).join(", "), {
      cell: (row) => scored(table.get("score", row), table.get("score_se", row)),
      title: "Median over the runs ± the median standard error of one run",
    }),
    { key: "target_met", label: "target", sort: (row) => Number(table.get("target_met", row)), cell: (row) => metTag(table.get("target_met", row)) },
    quantityColumn(table, "cold_j", `cold, ${kind}`, "J", { title: "J of setup, one training and one examination" }),
    quantityColumn(table, "inference_j", `per\u00a0prediction, ${kind}`, "J"),
    quantityColumn(table, "wall_s", "wall", "s"),
    plainColumn(table, "runs", "runs", { cell: (row) => `${table.get("runs", row) ?? 0}${failed(row)}` }),
    plainColumn(table, "process", "found by", { cell: (row) => String(table.get("process", row) ?? "").replaceAll("_", " ") }),
  ];
}

// A name as part of a file's name.
function fileName(text) {
  return String(text).replace(/[^A-Za-z0-9._-]+/g, "_").slice(0, 60);
}
