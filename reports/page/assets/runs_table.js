// The table of all runs: only the rows in view exist, however many there are.

const ROW = 36; // px, as in the style sheet
const SPARE = 6; // rows beyond the edges

const runsTable = {
  active: null, // the run that the arrow keys are at, by name
  top: 0, // of the box, in px, and its height: asking the box would lay out rows that are about to go
  height: 600,

  build(body) {
    this.words = el("input", { id: "runs-words", type: "search", placeholder: "Filter: all words must match", "aria-label": "Filter runs", autocomplete: "off", spellcheck: "false" });
    this.words.addEventListener("input", () => this.timed("filter", () => {
      runsView.words = this.words.value;
      runsView.filter();
    }));
    this.selects = el("div", { class: "selects" });
    this.count = el("span", { class: "count", role: "status" });
    this.head = el("tr");
    this.columns = el("colgroup");
    this.body = el("tbody");
    this.table = el("table", { class: "runs", "aria-label": "All runs" }, this.columns, el("thead", {}, this.head), this.body);
    this.box = el("div", { class: "scroll runs-box", tabindex: "-1" }, this.table);
    this.box.addEventListener("scroll", () => this.soon(), { passive: true });
    this.box.addEventListener("keydown", (event) => this.key(event));
    this.body.addEventListener("click", (event) => this.click(event));
    new ResizeObserver(() => {
      this.height = this.box.clientHeight;
      this.soon();
    }).observe(this.box);
    const wide = el("input", { type: "checkbox" });
    wide.addEventListener("change", () => {
      runsView.wide = wide.checked;
      this.heads();
      this.draw();
    });
    const csv = csvButton("runs", () => [runsView.table, runsView.shown]);
    body.append(
      el("div", { class: "controls" }, this.words, this.selects, el("label", { class: "switch" }, wide, " all columns")),
      this.box,
      el("div", { class: "below" }, this.count, csv),
    );
  },

  // After new data, or another choice from elsewhere.
  controls() {
    const table = runsView.table;
    if (this.words.value !== runsView.words) this.words.value = runsView.words;
    this.selects.replaceChildren(
      ...SELECTS.map(([name, label]) => {
        const options = [["", "all"], ...table.texts(name).map(([text, n]) => [text, `${text.slice(0, 60)} (${whole(n)})`])];
        return picker(label, options, runsView.chosen.get(name) || "", (text) => this.timed("filter", () => {
          if (text) runsView.chosen.set(name, text);
          else runsView.chosen.delete(name);
          runsView.filter();
        }));
      }),
    );
    this.box.style.height = `min(72vh, 700px, ${table.rows * ROW + 80}px)`; // no empty box below a few rows
    this.heads();
  },

  heads() {
    const names = runsView.columns();
    const state = { by: runsView.by, down: runsView.down };
    this.columns.replaceChildren(...names.map((name) => el("col", { style: `width:${this.width(name)}px` })));
    this.table.style.width = `${names.reduce((sum, name) => sum + this.width(name), 0)}px`;
    const about = new Map(runsView.table.columns.map((column) => [column.name, column.about]));
    this.head.replaceChildren(
      ...names.map((name) => {
        const column = { key: name, label: runLabel(name), title: about.get(name), right: this.right(name), sort: true, downFirst: name === "run" };
        const head = header(column, state, () => this.timed("sort", () => {
          runsView.sort(state.by, state.down);
          [...this.head.children].forEach((other, i) => tellSort(other, names[i], state));
        }));
        tellSort(head, name, state);
        return head;
      }),
    );
  },

  right(name) {
    return name === "interval" || ["int", "float"].includes(runsView.table.kinds.get(name));
  },

  width(name) {
    return WIDTHS[name] || (runsView.table.kinds.get(name) === "str" ? 170 : 145);
  },

  // What a key press costs until its rows stand there, the browser's layout included.
  timed(what, change) {
    const begin = performance.now();
    change();
    this.draw(true);
    void this.box.offsetHeight;
    performance.measure(`runs-${what}`, { start: begin, end: performance.now() });
  },

  soon() {
    if (this.waiting) return;
    this.waiting = requestAnimationFrame(() => {
      this.waiting = 0;
      this.top = this.box.scrollTop;
      this.draw();
    });
  },

  draw(fromTop) {
    const { table, shown: rows } = runsView;
    const moved = fromTop && this.top > 0;
    if (moved) this.top = 0;
    const names = runsView.columns();
    const first = Math.max(0, Math.min(Math.floor(this.top / ROW) - SPARE, rows.length - 1));
    const last = Math.min(rows.length, first + Math.ceil(this.height / ROW) + 2 * SPARE);
    const had = this.body.contains(document.activeElement);
    const inView = [...rows.subarray(first, last)];
    const named = inView.map((row) => table.get("run", row));
    const active = named.includes(this.active) ? this.active : named[first === 0 ? 0 : SPARE];
    const made = inView.map((row, i) => {
      const line = el("tr", { "aria-rowindex": first + i + 2, "data-run": named[i] });
      line.append(...names.map((name, at) => {
        const content = runCell(table, name, row);
        const title = typeof content === "string" && content.length > 14 ? content.slice(0, 1000) : null;
        return el(at ? "td" : "th", { class: this.right(name) ? "right" : null, scope: at ? null : "row", title }, content);
      }));
      const link = line.querySelector("a");
      link.tabIndex = named[i] === active ? 0 : -1;
      return line;
    });
    this.body.replaceChildren(this.spacer(first), ...made, this.spacer(rows.length - last));
    if (moved) this.box.scrollTop = 0;
    this.table.setAttribute("aria-rowcount", rows.length + 1);
    this.count.textContent = rows.length === table.rows ? counted(table.rows, "run") : `${whole(rows.length)} of ${counted(table.rows, "run")}`;
    this.nothing(rows.length, names.length);
    if (had) this.focus(active);
  },

  spacer(rows) {
    return el("tr", { class: "spacer", "aria-hidden": "true" }, el("td", { style: `height:${Math.max(0, rows) * ROW}px` }));
  },

  nothing(n, columns) {
    if (n) return;
    const text = runsView.table.rows ? "No run has all of these words." : "There are no Records yet.";
    this.body.append(el("tr", { class: "no-rows" }, el("td", { colspan: columns }, text)));
  },

  focus(run) {
    const line = [...this.body.children].find((tr) => tr.dataset.run === run);
    if (line) line.querySelector("a").focus({ preventScroll: true });
  },

  click(event) {
    if (event.target.closest("a, button")) return;
    const line = event.target.closest("tr[data-run]");
    if (line && !String(getSelection())) openRun(line.dataset.run);
  },

  // Arrows, Page, Home and End go through all rows, those that do not exist yet included.
  key(event) {
    const page_ = Math.max(1, Math.floor(this.height / ROW) - 2);
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page_, PageUp: -page_, Home: -Infinity, End: Infinity };
    if (!(event.key in steps) || !this.body.contains(document.activeElement)) return;
    event.preventDefault();
    const rows = runsView.shown;
    const here = document.activeElement.closest("tr").dataset.run;
    const at = rows.findIndex((row) => runsView.table.get("run", row) === here);
    const next = Math.max(0, Math.min(rows.length - 1, at + steps[event.key]));
    this.active = runsView.table.get("run", rows[next]);
    const top = next * ROW;
    const room = this.height - 3 * ROW; // below the header, and a row to spare
    if (top < this.top) this.top = top;
    else if (top > this.top + room) this.top = top - room;
    this.draw();
    this.box.scrollTop = this.top;
    this.focus(this.active);
  },
};
