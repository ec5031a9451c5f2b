// Figures as CSV files (RFC 4180), with every column, source and interval that a table has.

// A text that begins with one of these is a formula to a spreadsheet, whoever wrote it: it gets a leading '.
const FORMULA = /^[=+\-@\t\r]/;

function cell(value, kind) {
  if (value === null || value === undefined) return "";
  let text = String(value);
  if (kind === "str" && FORMULA.test(text)) text = `'${text}`;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

// rows: places in the table; all of them where none are given.
function toCsv(table, rows) {
  const lines = [table.columns.map((column) => cell(column.name, "str")).join(",")];
  for (const row of rows || Array.from({ length: table.rows }, (_, i) => i)) {
    lines.push(table.columns.map(({ name, kind }) => cell(table.get(name, row), kind)).join(","));
  }
  return lines.join("\r\n") + "\r\n";
}

function download(name, text) {
  const url = URL.createObjectURL(new Blob(["\ufeff", text], { type: "text/csv;charset=utf-8" }));
  el("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}

// what: of the file's name. make: () => [table, rows], asked for only when it is pressed.
function csvButton(what, make) {
  const title =
    "Every column of these rows as CSV. A text that begins with = + - or @ gets a leading ', " +
    "so that no spreadsheet runs it.";
  const save = () => download(`${what}.csv`, toCsv(...make()));
  return el("button", { type: "button", class: "quiet csv", title, onclick: save }, "CSV");
}
