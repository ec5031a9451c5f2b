// Numbers as people read them, the same as reports/units.py.

const PREFIXES = [[1e6, "M"], [1e3, "k"], [1, ""], [1e-3, "m"], [1e-6, "µ"], [1e-9, "n"], [1e-12, "p"]];
const NONE = "–";

// [number, unit] of 1.3e-4 J: ["130", "µJ"].
function parts(value, unit, digits = 3) {
  for (const [size, prefix] of PREFIXES) {
    if (Math.abs(value) >= size * 0.9995) return [(value / size).toPrecision(digits), prefix + unit];
  }
  return [String(Number(value.toPrecision(digits))), unit];
}

function scaled(value, unit, digits) {
  if (value === null || value === undefined) return NONE;
  return parts(value, unit, digits).join("\u00a0");
}

// The same as a node whose numerals stand below each other: the unit has a place of its own.
function quantity(value, unit) {
  if (value === null || value === undefined) return el("span", { class: "none" }, NONE);
  const [number, prefixed] = parts(value, unit);
  return el("span", { class: "quantity" }, number, "\u00a0", el("span", { class: "unit" }, prefixed));
}

function between(low, high, unit) {
  if (low === null || low === undefined || high === null || high === undefined) return NONE;
  const [a, ua] = parts(low, unit);
  const [b, ub] = parts(high, unit);
  return ua === ub ? `${a} … ${b}\u00a0${ub}` : `${a}\u00a0${ua} … ${b}\u00a0${ub}`;
}

function scored(value, se, unit) {
  if (value === null || value === undefined) return NONE;
  const error = se === null || se === undefined ? "" : ` ± ${Number(se.toPrecision(2))}`;
  return `${value.toFixed(4)}${error}${unit && unit !== "1" ? `\u00a0${unit}` : ""}`;
}

function times(value) {
  if (value === null || value === undefined) return NONE;
  return value >= 1000 ? `×${Math.round(value).toLocaleString("en")}` : `×${Number(value.toPrecision(3))}`;
}

function whole(value) {
  return value === null || value === undefined ? NONE : value.toLocaleString("en");
}

function counted(n, one, many) {
  return `${whole(n)} ${n === 1 ? one : many || `${one}s`}`;
}

// "23 Nov 2026, 00:47" in UTC, since machines that run these stand anywhere.
function day(iso) {
  const at = new Date(iso);
  if (!iso || Number.isNaN(at.getTime())) return NONE;
  const date = { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit" };
  return at.toLocaleString("en-GB", { ...date, timeZone: "UTC" });
}

// A value of a table by what its column's name says of the unit.
function shown(name, kind, value) {
  if (value === null || value === undefined) return NONE;
  if (kind === "bool") return value ? "yes" : "no";
  if (kind === "str") return String(value);
  if (name === "joules_per_accuracy" || name.endsWith("_j")) return scaled(value, "J");
  if (name.endsWith("_bytes")) return scaled(value, "B");
  if (name.endsWith("_s")) return scaled(value, "s");
  if (["score", "skill", "bar", "margin", "target", "loss"].includes(name)) return trimmed(value, 4);
  if (kind === "int") return name === "seed" ? String(value) : whole(value);
  return String(Number(value.toPrecision(4)));
}

function trimmed(value, places) {
  return Math.abs(value) < 1e6 ? value.toFixed(places) : value.toPrecision(5);
}
