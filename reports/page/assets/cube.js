// The cube, a problem at a time: process × metric; an empty cell says which command fills it.

let cubeBoard = "";
let cubeCell = null;

function renderCube(body) {
  const table = page.tables.cube;
  if (!table.rows) {
    body.append(emptyNote("The cube is empty.", page.data.about.make_one));
    return;
  }
  const groups = [...table.groups((row) => cubeKey(table, row))].map(([key, rows]) => ({
    key,
    rows,
    full: rows.filter((row) => table.get("tried", row)).length,
  }));
  groups.sort((a, b) => b.full - a.full || a.rows[0] - b.rows[0]);
  const known = groups.find((group) => group.key === cubeBoard) || groups[0];
  body.append(cubeOverview(table, groups, known));
  body.append(cubePlane(table, known));
}

function cubeKey(table, row) {
  return ["problem", "variant", "access", "bar", "device"].map((name) => table.get(name, row) ?? "").join(" / ");
}

// One button for each problem with how much of its plane is filled: the map of what is known.
function cubeOverview(table, groups, known) {
  const choose = (key) => {
    cubeBoard = key;
    cubeCell = null;
    renderSection("cube");
    const pressed = byId("cube").querySelector('[aria-pressed="true"]');
    if (pressed) pressed.focus();
  };
  const problems = groups.map((group) => {
    const bar = table.get("bar", group.rows[0]);
    const share = group.full / group.rows.length;
    return el(
      "button",
      { type: "button", class: "problem", "aria-pressed": String(group === known), onclick: () => choose(group.key), title: group.key },
      el("span", { class: "name" }, table.get("problem", group.rows[0])),
      el("span", { class: "muted" }, bar === null ? "nobody has sat it" : `bar ${Number(bar.toPrecision(4))}`),
      el("span", { class: "filled" }, el("span", { class: "level", style: `width:${(100 * share).toFixed(1)}%` })),
      el("span", { class: "muted" }, `${group.full} of ${group.rows.length} cells`),
    );
  });
  return el("div", { class: "problems-grid", role: "group", "aria-label": "Problems" }, problems);
}

function cubePlane(table, group) {
  const processes = [...new Set(group.rows.map((row) => table.get("process", row)))];
  const lines = new Map();
  for (const row of group.rows) {
    const key = `${table.get("metric", row)} ${table.get("source", row) ?? ""}`;
    if (!lines.has(key)) lines.set(key, new Map());
    lines.get(key).set(table.get("process", row), row);
  }
  const first = group.rows[0];
  const empty = group.rows.filter((row) => table.get("to_fill", row));
  const chosen = group.rows.includes(cubeCell) ? cubeCell : empty[0] ?? null;
  const fillBox = el("div", { class: "to-fill", "aria-live": "polite" });
  const cells = new Map();
  const pick = (row) => {
    cubeCell = row;
    for (const [at, cell] of cells) cell.setAttribute("aria-pressed", String(at === row));
    fillBox.replaceChildren(
      el("p", {}, `To fill ${table.get("problem", row)} × ${words(table.get("process", row))} × ${metricName(table.get("metric", row))}:`),
      command(table.get("to_fill", row)),
    );
  };
  const shown = el(
    "table",
    { class: "cube", "aria-label": `Cube of ${group.key}` },
    el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "metric"), el("th", { scope: "col" }, "baseline"), processes.map((name) => el("th", { scope: "col" }, words(name))))),
    el(
      "tbody",
      {},
      [...lines.values()].map((line) => {
        const any = [...line.values()][0];
        return el(
          "tr",
          {},
          el("th", { scope: "row" }, metricName(table.get("metric", any)), cubeSource(table, any)),
          el("td", {}, cubeBaseline(table, any)),
          processes.map((process) => el("td", {}, cubeFigure(table, line.get(process), cells, pick))),
        );
      }),
    ),
  );
  if (chosen !== null) pick(chosen);
  const access = [table.get("variant", first), table.get("access", first), table.get("device", first)].filter(Boolean);
  return el(
    "div",
    { class: "plane" },
    el("div", { class: "figure-top" }, el("h3", {}, table.get("problem", first)), el("span", { class: "tags" }, access.map((text) => tag(text)))),
    el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Plane of the cube" }, shown),
    fillBox,
    el("div", { class: "below" }, el("p", { class: "muted" }, "In a cell: the best algorithm that meets the bar, its figure, and its ratio to the baseline, the cheapest gradient-trained one of the row."), csvButton("cube", () => [table, null])),
  );
}

function cubeSource(table, row) {
  const source = table.get("source", row);
  return source && source.includes(":") && table.get("unit", row) === "J" ? sourceTag(source) : null;
}

function cubeUnit(table, row) {
  const unit = table.get("unit", row);
  return unit === "1" ? "" : unit;
}

function cubeBaseline(table, row) {
  const name = table.get("baseline", row);
  if (!name) return el("span", { class: "none" }, NONE);
  return el("span", { class: "cell" }, el("span", { class: "name" }, name), scaled(table.get("baseline_value", row), cubeUnit(table, row)), el("span", { class: "muted" }, words(table.get("baseline_process", row))));
}

function cubeFigure(table, row, cells, pick) {
  if (row === undefined) return NONE;
  const fill = table.get("to_fill", row);
  if (fill) {
    const label = `Empty: ${words(table.get("process", row))}, ${metricName(table.get("metric", row))}. Show the command that fills it`;
    const cell = el("button", { type: "button", class: "hole", "aria-label": label, "aria-pressed": "false", onclick: () => pick(row) }, "empty");
    cells.set(row, cell);
    return cell;
  }
  const best = table.get("algo", row);
  const tried = table.get("tried", row);
  if (!best) return tried ? el("span", { class: "muted" }, `none of ${tried} meets it`) : NONE;
  const ratio = table.get("ratio", row);
  const same = best === table.get("baseline", row) && ratio === 1;
  const failed = table.get("failed", row);
  return el(
    "span",
    { class: "cell" },
    el("span", { class: "name" }, best),
    scaled(table.get("value", row), cubeUnit(table, row)),
    ratio === null ? null : el("span", { class: same ? "muted" : ratio < 1 ? "saves" : "costs" }, same ? "the baseline" : `${times(ratio)}${ratio < 1 ? " ↓" : " ↑"}`),
    table.get("runs", row) === 1 ? el("span", { class: "muted" }, "1 run") : null,
    failed ? el("span", { class: "muted" }, `${failed} failed`) : null,
    table.get("note", row) ? el("span", { class: "muted" }, table.get("note", row)) : null,
  );
}

const METRICS = { wall_s: "wall time", operations: "operations", bytes_moved: "bytes moved", bytedmd: "ByteDMD", modelled_j: "modelled J", gpu_j: "measured J: GPU", gpu_cpu_dram_j: "measured J: GPU + CPU + DRAM", wall_plug_j: "measured J: wall plug" };

function metricName(name) {
  return METRICS[name] || name;
}

function words(name) {
  return String(name ?? "").replaceAll("_", " ");
}
