// Figures with their tables beside them: the front, the curves, and the power traces.

const chosenFigure = new Map(); // section -> id of the chart that is shown

function chooseFigure(section, items, label, body) {
  const known = items.find((item) => item.id === chosenFigure.get(section)) || items[0];
  if (items.length > 1) {
    const choose = (id) => {
      chosenFigure.set(section, id);
      renderSection(section);
      byId(section).querySelector("select").focus();
    };
    const named = items.map((item) => [item.id, item.option || item.title]);
    body.append(el("div", { class: "controls" }, picker(label, named, known.id, choose)));
  }
  return known;
}

function figure(item, caption, table, rows, file) {
  return el(
    "figure",
    { class: "figure" },
    el("div", { class: "figure-top" }, el("h3", {}, item.title), el("span", { class: "tags" }, sourceTag(item.source), item.about.map((text) => tag(text)))),
    chart(item.spec, item.spec.description || item.title),
    el("figcaption", {}, caption, " ", csvButton(file, () => [table, rows])),
  );
}

// What a table beside a figure is folded into.
function beside(text, make) {
  return folded({ class: "beside" }, el("summary", {}, text), make);
}

function renderFront(body) {
  const items = optionNames(page.data.charts.front);
  if (!items.length) {
    body.append(emptyNote("No run here was held to a bar.", "bench run suite=tinyshakespeare seed=0,1,2,3,4"));
    return;
  }
  const item = chooseFigure("front", items, "Board", body);
  const table = page.tables.front;
  const caption = `Medians over runs; whiskers are medians of the runs' intervals. The grey stairs are the Pareto front: what lies above or behind them is beaten in both. Dashed: the bars. Hollow points go on learning while they predict. Click a name to single it out. Joules are ${sourceWords(item.source)}.`;
  body.append(figure(item, caption, table, item.rows, "front"));
  const kind = String(item.source).split(":")[0];
  const columns = [
    plainColumn(table, "algo", "algorithm", { cell: (row) => el("span", { class: "name" }, table.get("algo", row), table.get("adapts", row) ? tag("adapts") : null) }),
    plainColumn(table, "bar", "bar", { cell: (row) => String(Number(table.get("bar", row).toPrecision(4))) }),
    plainColumn(table, "score", "score"),
    { key: "meets", label: "bar met", sort: (row) => Number(table.get("meets", row)), cell: (row) => stateTag(table.get("meets", row) ? "met" : "refuted", `${table.get("met", row)} of ${table.get("runs", row)}`) },
    quantityColumn(table, "energy_j", `J per training, ${kind}`, "J"),
    { key: "interval", label: "interval", right: true, cell: (row) => between(table.get("energy_low_j", row), table.get("energy_high_j", row), "J") },
    quantityColumn(table, "cold_j", `cold, ${kind}`, "J"),
    quantityColumn(table, "inference_j", `per prediction, ${kind}`, "J"),
    quantityColumn(table, "wall_s", "wall", "s"),
    quantityColumn(table, "peak_bytes", "memory", "B"),
  ];
  body.append(beside("The same as a table", () => grid({ name: `front ${item.id}`, label: "Front", columns, rows: item.rows, table, file: "front" })));
}

// Titles that two boards share are told apart by source and device.
function optionNames(items) {
  const titles = items.map((item) => item.title);
  return items.map((item) => ({
    ...item,
    option: titles.indexOf(item.title) === titles.lastIndexOf(item.title) ? item.title : `${item.title}, ${sourceWords(item.source)}, ${item.about[0]}`,
  }));
}

function renderCurves(body) {
  const items = optionNames(page.data.charts.curves);
  if (!items.length) {
    body.append(emptyNote("No training here was paused to see its score.", "bench curve task=nanogpt algo=hashed_softmax"));
    return;
  }
  const item = chooseFigure("curves", items, "Board", body);
  const left = item.left_out ? ` ${counted(item.left_out, "older draw is", "older draws are")} left out of the picture, not of the medians.` : "";
  const caption = `J of training, pauses and evaluations left out. Thin: single draws, a point at their end; thick: their median score, from three draws on. Dashed: the bars. Joules are ${sourceWords(item.source)}.${left}`;
  body.append(figure(item, caption, page.tables.curves, item.rows, "curves"));
  const bars = page.tables.bars;
  const rows = [];
  for (let row = 0; row < bars.rows; row++) if (bars.get("board", row) === item.id) rows.push(row);
  const kind = String(item.source).split(":")[0];
  const columns = [
    plainColumn(bars, "algo", "algorithm"),
    plainColumn(bars, "seed", "seed"),
    plainColumn(bars, "bar", "bar", { cell: (row) => String(Number(bars.get("bar", row).toPrecision(4))) }),
    { key: "target_met", label: "met", sort: (row) => Number(bars.get("target_met", row)), cell: (row) => metTag(bars.get("target_met", row)) },
    quantityColumn(bars, "energy_j", `energy to bar, ${kind}`, "J"),
    { key: "interval", label: "interval", right: true, cell: (row) => between(bars.get("energy_low_j", row), bars.get("energy_high_j", row), "J") },
    quantityColumn(bars, "before_j", `not yet at, ${kind}`, "J"),
    plainColumn(bars, "score", "score there"),
    quantityColumn(bars, "wall_s", "wall", "s"),
    { key: "run", label: "run", cell: (row) => runLink(bars.get("run", row)) },
  ];
  body.append(beside("Energy to each bar", () => grid({ name: `bars ${item.id}`, label: "Energy to each bar", columns, rows, table: bars, file: "energy_to_bar" })));
}

function renderTraces(body) {
  const runs = Object.keys(page.data.traces || {}).sort().reverse();
  if (!runs.length) {
    body.append(emptyNote("No run here has a power trace. Runs that a sensor measured have one:", "bench run task=nanogpt algo=backprop meter=nvml"));
    return;
  }
  const items = runs.map((run) => ({ id: run, title: run, option: traceName(run) }));
  const item = chooseFigure("traces", items, "Run", body);
  const left = (page.data.about.traces || {}).left_out;
  const note = left ? ` ${counted(left, "older trace is", "older traces are")} left out of this page.` : "";
  body.append(traceFigure(item.id, `Each domain as its sensor was read, its peaks kept; the bands are the phases.${note}`));
}

function traceName(run) {
  const place = page.places.get(run);
  if (place === undefined) return run;
  const table = page.tables.runs;
  return `${table.get("algo", place)} on ${table.get("task", place)} · ${run}`;
}

// "modelled (cpu_time)".
function sourceWords(source) {
  const [kind, ...by] = String(source).split(":");
  return by.length ? `${kind} (${by.join(":")})` : kind;
}

// bare: without a heading of its own.
function traceFigure(run, caption, bare) {
  const trace = page.data.traces[run];
  const points = [];
  for (const [domain, watts] of Object.entries(trace.power_w)) {
    watts.forEach((w, i) => w !== null && points.push({ t: trace.t_s[i], w, domain: domain.slice(0, 40) }));
  }
  const phases = trace.phases.map((p) => ({ phase: p.phase, begin: p.begin_s, end: p.end_s, seconds: scaled(p.end_s - p.begin_s, "s") }));
  const spec = plainCopy(page.data.charts.templates.trace);
  spec.datasets = { power: points, phases };
  const [bands, lines] = spec.layer.map((layer) => layer.encoding);
  bands.fill.legend.values = [...new Set(phases.map((p) => p.phase))];
  const domains = [...new Set(points.map((p) => p.domain))];
  const dashes = lines.strokeDash.scale.range;
  lines.stroke.scale = { domain: domains }; // the same as of the dashes, so that they share a legend
  lines.strokeDash.scale.domain = domains;
  // A board's power limit is no power that anybody drew.
  lines.strokeDash.scale.range = domains.map((name, i) => (name.endsWith("_limit") ? [1, 4] : dashes[i % dashes.length]));
  const place = page.places.get(run);
  const source = place === undefined ? null : page.tables.runs.get("source", place);
  const columns = ["t_s", ...Object.keys(trace.power_w).map((domain) => `${domain}_w`)];
  const values = [trace.t_s, ...Object.values(trace.power_w)];
  const packed = new Table("trace", {
    rows: trace.t_s.length,
    columns: columns.map((name) => ({ name, kind: "float" })),
    data: Object.fromEntries(columns.map((name, i) => [name, { values: values[i] }])),
  });
  spec.description = `Power of run ${run} over ${scaled(Math.max(...trace.t_s, 0), "s")}, by domain, with phases ${phases.map((p) => p.phase).join(", ")}`;
  return el(
    "figure",
    { class: "figure" },
    bare ? null : el("div", { class: "figure-top" }, el("h3", {}, runLink(run, traceName(run))), el("span", { class: "tags" }, sourceTag(source))),
    chart(spec, spec.description),
    el("figcaption", {}, caption, " ", csvButton(`trace_${fileName(run)}`, () => [packed, null])),
  );
}
