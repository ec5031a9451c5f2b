// One Record in full: every figure with its source and interval, every hash, every setting.

function tableOf(name, rows) {
  const names = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const kind = (key) => (rows.every((row) => row[key] === null || row[key] === undefined || typeof row[key] === "number") ? "float" : "str");
  const text = (value) => (Array.isArray(value) ? value.join("; ") : value && typeof value === "object" ? JSON.stringify(value) : value ?? null);
  return new Table(name, {
    rows: rows.length,
    columns: names.map((key) => ({ name: key, kind: kind(key) })),
    data: Object.fromEntries(names.map((key) => [key, { values: rows.map((row) => text(row[key])) }])),
  });
}

function part(title, ...nodes) {
  return el("section", { class: "part" }, el("h3", {}, title), nodes);
}

function facts(pairs) {
  const told = pairs.filter(([, value]) => value !== null && value !== undefined && value !== "");
  return el("dl", { class: "facts" }, told.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value instanceof Node ? value : String(value))]));
}

function recordParts(record) {
  const { headline, score } = record;
  const found = [];
  if (record.error) found.push(part("Error", el("pre", {}, record.error)));
  if (headline) found.push(part("Figures", headlineTiles(record)));
  else if (!record.error) found.push(part("Figures", el("p", { class: "muted" }, "No headline: the run did not get so far.")));
  if (score) found.push(part("Score", scoreFacts(score)));
  if (record.curve && record.curve.length) found.push(part("Curve", runCurve(record)));
  if (Object.hasOwn(page.data.traces || {}, record.run)) found.push(part("Power trace", traceFigure(record.run, "The bands are the phases.", true)));
  if (Object.hasOwn(page.data.pictures || {}, record.run)) found.push(part("Pictures", filmCards(record.run, false)));
  if (record.warnings && record.warnings.length) found.push(part("Warnings", el("ul", { class: "plainlist" }, record.warnings.map((text) => el("li", {}, text)))));
  if (record.energy.length) found.push(part("Energy, row by row", energyRows(record)));
  if (record.phases.length) found.push(part("Phases", phaseRows(record)));
  found.push(part("Identity", identity(record)));
  found.push(part("Settings", settings(record)));
  found.push(part("All of the Record", rawRecord(record)));
  return found;
}

function headlineTiles(record) {
  const { headline, empty } = record;
  const kind = headline.modelled ? "modelled" : "measured";
  const joules = (name, value) => value && tile(`${name}, ${kind}`, scaled(value.value, "J"), between(value.low, value.high, "J"));
  return el(
    "div",
    { class: "tiles" },
    joules("J per training", headline.energy_j),
    joules("net of idle", headline.net_j),
    joules("cold", headline.cold_j),
    joules("per prediction", headline.inference_j),
    headline.joules_per_accuracy === null ? null : tile(`J per skill, ${kind}`, scaled(headline.joules_per_accuracy, "J")),
    tile("wall", scaled(headline.wall_s, "s")),
    tile("CPU", scaled(headline.cpu_s, "s")),
    empty ? tile(`the path alone, ${kind}`, scaled(empty.energy_j, "J"), "an algorithm that learns nothing") : null,
  );
}

function tile(name, value, more) {
  return el("div", { class: "tile" }, el("span", { class: "muted" }, name), el("strong", {}, value), more ? el("span", { class: "muted" }, more) : null);
}

function scoreFacts(score) {
  const sign = score.direction === "max" ? "≥" : "≤";
  const per = score.per_draw.length > 1 ? `${score.per_draw.map((value) => Number(value.toPrecision(4))).join(", ")}` : null;
  return facts([
    [score.name, scored(score.value, score.se, score.unit)],
    ["target", score.target === null ? "none set" : el("span", {}, `${sign} ${score.target} `, metTag(score.target_met))],
    ["skill", `${score.skill.toFixed(4)} (0 at chance ${Number(score.chance.toPrecision(4))}, 1 at perfect ${Number(score.perfect.toPrecision(4))})`],
    ["predictions", whole(score.predictions)],
    ["draws that met it", whole(score.draws_met)],
    ["by draw", per],
    ...Object.entries(score.secondary || {}).map(([name, value]) => [name, Number(value.toPrecision(5))]),
  ]);
}

function runCurve(record) {
  const points = record.curve.filter((p) => p.energy_j.value > 0).map((p) => ({
    x: p.energy_j.value, low: p.energy_j.low > 0 ? p.energy_j.low : p.energy_j.value, high: p.energy_j.high, y: p.score,
    said: `${scored(p.score, p.score_se)} at ${scaled(p.energy_j.value, "J")} (${between(p.energy_j.low, p.energy_j.high, "J")}), ${scaled(p.wall_s, "s")}`,
  }));
  const bars = [...new Set([...(record.task.ladder || []), record.task.bar].filter((bar) => bar !== null))];
  const spec = plainCopy(page.data.charts.templates.run_curve);
  spec.datasets = { points, bars: bars.map((bar) => ({ bar })) };
  spec.description = `${record.score ? record.score.name : "score"} against joules of training, ${points.length} points`;
  const flat = record.curve.map(({ energy_j, ...rest }) => ({ energy_j: energy_j.value, energy_low_j: energy_j.low, energy_high_j: energy_j.high, source: record.source, ...rest }));
  return el("figure", { class: "figure" }, chart(spec, spec.description), el("figcaption", {}, sourceTag(record.source), " ", csvButton(`curve_${fileName(record.run)}`, () => [tableOf("curve", flat), null])));
}

function energyRows(record) {
  const table = tableOf("energy", record.energy);
  const rows = record.energy.map((_, row) => row);
  const known = (name) => rows.some((row) => table.get(name, row) !== null);
  const ends = (low, high) => (row) => between(table.get(low, row), table.get(high, row), "J");
  const columns = [
    plainColumn(table, "phase", "phase"),
    plainColumn(table, "domain", "domain"),
    plainColumn(table, "source", "known by", { cell: (row) => sourceTag(table.get("source", row)) }),
    quantityColumn(table, "gross_j", "gross", "J"),
    { key: "interval", label: "interval", right: true, cell: ends("low_j", "high_j") },
    quantityColumn(table, "idle_j", "idle", "J"),
    quantityColumn(table, "net_j", "net", "J"),
    known("net_low_j") ? { key: "net", label: "net interval", right: true, cell: ends("net_low_j", "net_high_j") } : null,
    plainColumn(table, "gain_rel", "calibration", { cell: (row) => (table.get("gain_rel", row) ? `±${Number((100 * table.get("gain_rel", row)).toPrecision(2))} %` : NONE) }),
    quantityColumn(table, "window_s", "window", "s"),
    plainColumn(table, "repeats", "repeats", { cell: (row) => whole(table.get("repeats", row)) }),
    quantityColumn(table, "resolution_s", "resolution", "s"),
    plainColumn(table, "flags", "flags", { cell: (row) => el("span", { class: "sentence" }, table.get("flags", row) || NONE) }),
  ].filter(Boolean);
  return grid({ name: "record energy", label: "Energy rows, joules of whole windows", columns, rows, table, file: `energy_${fileName(record.run)}` });
}

function phaseRows(record) {
  const table = tableOf("phases", record.phases);
  const began = (row) => (table.get("begin_unix_s", row) > 0 ? day(new Date(1000 * table.get("begin_unix_s", row)).toISOString()) : NONE);
  const columns = [
    plainColumn(table, "phase", "phase"),
    quantityColumn(table, "wall_s", "wall", "s"),
    quantityColumn(table, "cpu_s", "CPU", "s"),
    quantityColumn(table, "peak_rss_bytes", "peak memory", "B"),
    plainColumn(table, "repeats", "repeats", { cell: (row) => whole(table.get("repeats", row)) }),
    plainColumn(table, "begin_unix_s", "began (UTC)", { cell: began }),
  ];
  return grid({ name: "record phases", label: "Phases", columns, rows: record.phases.map((_, row) => row), table, file: `phases_${fileName(record.run)}` });
}

function identity(record) {
  const { task, algorithm, draw, host, code, exam } = record;
  const hash = (text) => text && el("code", { class: "hash" }, text);
  return facts([
    ["task", `${task.name}, ${task.variant}, ${task.access}`],
    ["task configuration", hash(task.config_sha256)],
    ["data of all draws", hash(task.data_sha256)],
    ["algorithm", `${algorithm.name} (${algorithm.target})`],
    ["its configuration", hash(algorithm.config_sha256)],
    ["its code", hash(algorithm.code_sha256)],
    ["size of its code, configuration", `${scaled(algorithm.code_bytes, "B")}, ${scaled(algorithm.config_bytes, "B")}`],
    ["found by", words(record.process)],
    ["seed", String(draw.seed)],
    ["nonce", hash(draw.nonce)],
    ["repeats", whole(draw.repeats)],
    ["replay of", draw.replay_of && runLink(draw.replay_of)],
    ["imported from", record.imported_from && runLink(record.imported_from)],
    ["exam", exam && `${exam.exam}, pair ${exam.pair}, ${exam.side}${exam.void ? `, void: ${exam.void}` : ""}`],
    ["plan of the exam", exam && hash(exam.plan_sha256)],
    ["isolation", record.isolation],
    ["device", host.device_class],
    ["machine", `${host.cpu}, ${host.cores} cores, ${scaled(host.memory_bytes, "B")}, ${host.platform}, Python ${host.python}`],
    ["driver", host.driver],
    ["joulebench", `${code.version}${code.commit ? `, ${code.commit}` : ""}${code.dirty ? ", with uncommitted changes" : ""}`],
  ]);
}

function settings(record) {
  const blocks = [["Task", record.task.config], ["Algorithm", record.algorithm.config], ["Run", record.settings], ["Data", record.task.data]];
  return el("div", { class: "blocks" }, blocks.filter(([, value]) => value && Object.keys(value).length).map(([name, value]) => el("div", { class: "block" }, el("h4", {}, name), tree(value))));
}

// Anything that JSON can hold, as nested lists of names and values.
function tree(value, depth = 0) {
  if (value === null || typeof value !== "object") return el("span", { class: "value" }, value === null ? NONE : String(value));
  const entries = Object.entries(value);
  if (!entries.length) return el("span", { class: "value" }, NONE);
  if (depth > 6 || (Array.isArray(value) && entries.every(([, item]) => item === null || typeof item !== "object"))) {
    return el("span", { class: "value" }, JSON.stringify(value));
  }
  return el("dl", { class: "tree" }, entries.flatMap(([name, item]) => [el("dt", {}, name), el("dd", {}, tree(item, depth + 1))]));
}

function rawRecord(record) {
  const more = ["meter", "audit", "counts", "found", "host"].filter((name) => record[name] && Object.keys(record[name]).length);
  const text = JSON.stringify(record, null, 1);
  return el(
    "div",
    {},
    more.map((name) => beside(name, () => tree(record[name]))),
    beside("As JSON", () => el("div", { class: "raw" }, copyButton(text), el("pre", { tabindex: "0" }, text))),
  );
}
