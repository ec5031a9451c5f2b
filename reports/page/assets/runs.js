// Which runs are shown and in which order: 10,000 rows are sorted and filtered within a frame or two.

// Columns that a reader needs at once; the switch "all columns" shows the rest behind them.
const ESSENTIAL = [
  ...["run", "task", "algo", "energy_j", "interval", "score", "target_met", "status", "kind", "source"],
  ...["cold_j", "wall_s", "process", "seed", "device", "variant"],
];
const SELECTS = [["task", "Task"], ["algo", "Algorithm"], ["kind", "Kind"], ["status", "Status"]];

class RunsView {
  constructor() {
    this.by = "run";
    this.down = true; // a run's name begins with its time: the newest first
    this.words = "";
    this.chosen = new Map(); // column -> text
    this.wide = false;
  }

  // New data; what was chosen stays chosen.
  take(table) {
    this.table = table;
    this.texts = lowerTexts(table);
    this.orders = new Map(); // column and direction -> rows in that order
    for (const [name, text] of this.chosen) {
      if (!table.texts(name).some(([value]) => value === text)) this.chosen.delete(name);
    }
    this.sort();
  }

  sort(by, down) {
    if (by !== undefined) [this.by, this.down] = [by, down];
    const key = this.by === "interval" ? "energy_low_j" : this.by;
    const which = `${key} ${this.down}`;
    if (!this.orders.has(which)) {
      const rows = Uint32Array.from({ length: this.table.rows }, (_, row) => row);
      this.orders.set(which, ordered(rows, this.table.keys(key), this.down));
    }
    this.order = this.orders.get(which);
    this.filter();
  }

  // All words must be somewhere in a row's texts, and all that was chosen must be as chosen.
  filter() {
    const words = this.words.toLowerCase().split(/\s+/).filter(Boolean);
    const tests = words.map((word) => matches(this.texts, this.table.rows, (text) => text.includes(word)));
    for (const [name, chosen] of this.chosen) {
      const column = this.texts.filter((text) => text.name === name);
      tests.push(matches(column, this.table.rows, (text) => text === chosen.toLowerCase()));
    }
    const found = new Uint32Array(this.order.length);
    let n = 0;
    for (const row of this.order) if (tests.every((hits) => hits[row])) found[n++] = row;
    this.shown = found.subarray(0, n);
  }

  columns() {
    const all = this.table.columns.map((column) => column.name);
    const names = ESSENTIAL.filter((name) => name === "interval" || all.includes(name));
    const left = ["energy_low_j", "energy_high_j", ...names];
    return this.wide ? [...names, ...all.filter((name) => !left.includes(name))] : names;
  }
}

// The texts of each column in lower case; of a column whose texts recur only its levels, so that a key press
// searches each of them once and not in every row.
function lowerTexts(table) {
  const lower = (texts) => texts.map((text) => String(text ?? "").toLowerCase());
  return table.columns
    .filter(({ kind }) => kind === "str")
    .map(({ name }) => {
      const { codes, levels, values } = table.data.get(name);
      return codes ? { name, codes: Int32Array.from(codes), texts: lower(levels) } : { name, texts: lower(values) };
    });
}

// 1 for each row of which any column's text passes.
function matches(columns, rows, passes) {
  const hits = new Uint8Array(rows);
  for (const { codes, texts } of columns) {
    const passed = Uint8Array.from(texts, (text) => (passes(text) ? 1 : 0));
    if (!passed.includes(1)) continue;
    for (let row = 0; row < rows; row++) {
      if (codes ? codes[row] >= 0 && passed[codes[row]] : passed[row]) hits[row] = 1;
    }
  }
  return hits;
}

const runsView = new RunsView();

// From elsewhere on the page: the runs that have `text` in them.
function filterRuns(text) {
  runsView.words = text;
  runsView.chosen.clear();
  runsView.filter();
  runsTable.controls();
  runsTable.draw(true);
  byId("runs").scrollIntoView({ behavior: "auto" });
  byId("runs-words").focus({ preventScroll: true });
}

const LABELS = {
  energy_j: "J per training", cold_j: "cold", wall_s: "wall", algo: "algorithm", target_met: "target",
  interval: "interval", process: "found by", source: "joules known by",
};
const WIDTHS = { run: 195, task: 120, algo: 135, kind: 70, status: 85, score: 150, target_met: 100, energy_j: 145, interval: 135, cold_j: 145, wall_s: 90, source: 165, process: 120, seed: 60, device: 170, variant: 260 };

function runLabel(name) {
  return LABELS[name] || name.replaceAll("_", " ");
}

function runCell(table, name, row) {
  const value = table.get(name, row);
  if (name === "run") return runLink(value);
  if (name === "interval") return between(table.get("energy_low_j", row), table.get("energy_high_j", row), "J");
  if (name === "score") return value === null ? NONE : scored(value, undefined, table.get("score_unit", row));
  if (name === "status") return stateTag({ ok: "met", failed: "refuted" }[value] || "open", value);
  if (name === "target_met") return metTag(value);
  if (name === "source") return sourceTag(value) || NONE;
  if (name === "wall_s") return quantity(value, "s");
  if (name.endsWith("_j") && name !== "find_j" && value !== null) {
    const modelled = String(table.get("source", row)).startsWith("modelled");
    return [modelled ? el("span", { class: "mark" }, "modelled ") : null, quantity(value, "J")];
  }
  if (name === "process" && value) return words(value);
  return shown(name, table.kinds.get(name), value);
}
