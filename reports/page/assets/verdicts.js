// Verdicts: the word first, then the ratio with its interval, and how each condition was met.

const WORDS = {
  PASS: { sign: "✓", kind: "good", means: "less energy at the same score, as declared beforehand" },
  FAIL: { sign: "✕", kind: "bad", means: "a condition was refuted" },
  UNDECIDED: { sign: "?", kind: "open", means: "the pairs that were sat do not decide it" },
  INDICATIVE: { sign: "≈", kind: "open", means: "it points one way, but may not be called decided" },
};
const UNFINISHED = { sign: "…", kind: "none", means: "its first look is still to come" };
const CONDITIONS = { energy: "energy", score: "score", wall: "wall time", target: "target" };
const SHOWN_AT_FIRST = 6;
let allVerdicts = false;

function renderVerdicts(body) {
  const verdicts = page.data.verdicts || [];
  if (!verdicts.length) {
    body.append(emptyNote("No exam has been sat here yet. An exam holds a candidate against a tuned baseline, pair by pair:", "bench exam task=sparse_parity algo=hypercell"));
    return;
  }
  const counts = new Map();
  for (const v of verdicts) counts.set(v.verdict, (counts.get(v.verdict) || 0) + 1);
  body.append(
    el("ul", { class: "tally" }, [...counts].map(([word, n]) => el("li", {}, wordTag(word), el("span", { class: "count" }, String(n))))),
  );
  const ends = verdicts.flatMap((v) => [v.effect, v.effect_low, v.effect_high]).filter((value) => value > 0);
  const scale = logScale([...ends, 1, 1.3]);
  const some = allVerdicts ? verdicts : verdicts.slice(0, SHOWN_AT_FIRST);
  body.append(el("div", { class: "cards" }, some.map((v) => verdictCard(v, scale))));
  if (some.length < verdicts.length) {
    const more = () => {
      allVerdicts = true;
      renderSection("verdicts");
    };
    body.append(el("button", { type: "button", class: "more", onclick: more }, `Show ${verdicts.length - some.length} older verdicts`));
  }
}

function wordTag(word) {
  const known = WORDS[word] || UNFINISHED;
  return el(
    "span",
    { class: `word ${known.kind}`, title: known.means },
    el("span", { class: "sign", "aria-hidden": "true" }, known.sign),
    word,
  );
}

function verdictCard(v, scale) {
  const known = WORDS[v.verdict] || UNFINISHED;
  const { candidate, baseline } = v.sides || {};
  const card = el("article", { class: "card verdict", "aria-label": `${v.verdict}: ${v.name}` });
  card.append(
    el("div", { class: "card-top" }, wordTag(v.verdict), sourceTag(v.source), el("time", { class: "muted" }, day(v.date))),
    el("h3", {}, candidate || "candidate", el("span", { class: "against" }, " against "), baseline || "baseline"),
    el("p", { class: "muted asked" }, asked(v)),
  );
  if (v.effect > 0) card.append(effect(v, known.kind, scale));
  else if (v.sentence) card.append(el("p", {}, v.sentence));
  if (v.reasons && v.reasons.length) card.append(el("p", { class: "because" }, `Because ${v.reasons.join("; ")}`));
  if (v.conditions.length) card.append(conditions(v));
  card.append(behind(v));
  return card;
}

function asked(v) {
  const sign = v.direction === "max" ? "≥" : "≤";
  const unit = v.score_unit && v.score_unit !== "1" ? ` ${v.score_unit}` : "";
  const target = v.bar === null || v.bar === undefined ? null : `${v.score_name} ${sign} ${v.bar}${unit}`;
  return [v.task, v.variant, target].filter(Boolean).join(" · ");
}

function effect(v, kind, scale) {
  const percent = v.conditions.find((c) => c.name === "energy");
  const level = percent ? `${Number((100 * percent.level).toPrecision(3))} %` : "99 %";
  const three = (value) => (value === null || value === undefined ? "?" : value.toPrecision(3));
  const interval = `${three(v.effect_low)} … ${three(v.effect_high)}`;
  const { candidate, baseline } = v.figures || {};
  return el(
    "div",
    { class: "effect" },
    el(
      "p",
      { class: "ratio" },
      el("strong", {}, `×${three(v.effect)}`),
      el("span", {}, "the baseline's energy"),
      el("span", { class: "muted" }, `${interval} (${level})`),
    ),
    forest(scale, v.effect_low, v.effect, v.effect_high, kind, `Energy ratio ${three(v.effect)}, interval ${interval}; 1 is equal, left of it is less energy`),
    candidate && baseline
      ? el(
          "p",
          { class: "muted" },
          `${scaled(candidate.energy_j, "J")} against ${scaled(baseline.energy_j, "J")} per training, `,
          `${scaled(candidate.wall_s, "s")} against ${scaled(baseline.wall_s, "s")} (medians; joules ${String(v.source).split(":")[0]})`,
        )
      : null,
  );
}

function conditions(v) {
  return el(
    "div",
    { class: "scroll" },
    el(
      "table",
      { class: "conditions", "aria-label": "Conditions" },
      el("thead", {}, el("tr", {}, ["condition", "must be", "seen", "interval", ""].map((name) => el("th", { scope: "col" }, name || hidden("met"))))),
      el(
        "tbody",
        {},
        v.conditions.map((c) =>
          el(
            "tr",
            {},
            el("th", { scope: "row" }, CONDITIONS[c.name] || c.name),
            el("td", { "data-label": "must be" }, c.must),
            el("td", { "data-label": "seen" }, c.seen),
            el("td", { class: "muted", "data-label": "interval" }, String(c.interval).replaceAll(" %", "\u00a0%")),
            el("td", {}, stateTag(c.state)),
          ),
        ),
      ),
    ),
  );
}

// What else one should know, folded away: power, cold joules, tuning, ablations, notes, the command.
function behind(v) {
  const facts = [];
  const fact = (name, text) => text && facts.push(el("dt", {}, name), el("dd", {}, text));
  const look = v.look ? `, look ${v.look} of ${v.looks}${v.more ? `; ${v.more} more are to come` : ""}` : "";
  fact("pairs", `${v.pairs} of ${v.planned}${look}`);
  if (v.verdict === "UNDECIDED") fact("still open", open(v));
  if (v.cold_ratio > 0) {
    const turn = v.cold_word === v.verdict ? "the same word" : `would turn it: ${v.cold_word}`;
    const ends = v.cold_high > 0 ? ` (${Number(v.cold_low.toPrecision(3))} … ${Number(v.cold_high.toPrecision(3))})` : "";
    fact("cold", `ratio ${Number(v.cold_ratio.toPrecision(3))}${ends}, setup and one examination included; ${turn}`);
  }
  if (v.bound > 0 && v.bound < 0.9995) fact("bound", `systematic errors of the joules may differ between the sides, so the interval's upper end must be below ${Number(v.bound.toPrecision(3))}`);
  if (v.saving_detectable > 0) fact("power", `${v.pairs} pairs of this scatter (${Number((100 * v.scatter).toPrecision(2))} %) show a saving of ${Number((100 * v.saving_detectable).toPrecision(2))} % or more four times in five`);
  for (const side of ["candidate", "baseline"]) if (v.figures && v.figures[side]) fact(side, sideText(v.figures[side]));
  for (const side of (v.figures && v.figures.ablations) || []) fact(`ablation ${side.name}`, ablation(side, v));
  for (const note of v.notes || []) fact("note", note);
  fact("device", v.device);
  fact("exam", v.name);
  const here = v.runs_here ? el("button", { type: "button", class: "quiet", onclick: () => filterRuns(v.name) }, `${counted(v.runs_here, "run")} of this exam`) : null;
  return el("details", { class: "behind" }, el("summary", {}, v.effect > 0 ? "Power, tuning and the command" : "The command"), el("dl", { class: "facts" }, facts), here, v.command ? command(v.command) : null);
}

function open(v) {
  const names = v.conditions.filter((c) => c.state === "open").map((c) => CONDITIONS[c.name] || c.name);
  const enough = v.pairs_needed ? `would take about ${v.pairs_needed} pairs in all (80 % power)` : "no number of pairs is foreseen to decide it";
  return `${names.join(" and ")}: ${enough}`;
}

function sideText(side) {
  const { process, trials, find_j } = side.tuning || {};
  const tuned = trials === null && find_j === null ? "no search recorded" : `${trials} trials, ${scaled(find_j, "J")} to find`;
  const failed = side.failed ? `, ${side.failed} failed` : "";
  return `${side.algorithm}: ${String(process).replaceAll("_", " ")}, ${tuned}; ${side.runs} runs${failed}; configuration ${side.config_sha256.slice(0, 12)}, code ${side.code_sha256.slice(0, 12)}`;
}

function ablation(side, v) {
  if (!side.ratio) return `${side.failed} of ${side.runs} failed`;
  const ends = side.high > 0 ? ` (${Number(side.low.toPrecision(3))} … ${Number(side.high.toPrecision(3))})` : "";
  return `${Number(side.ratio.toPrecision(3))} times the candidate's energy${ends}; ${v.score_name} ${scored(side.score)}`;
}
