// The dialog of one run, by #run=NAME; Records are inflated only when somebody asks for them.

const inflated = new Map(); // chunk -> promise of its Records

function inflate(chunk) {
  if (!inflated.has(chunk)) {
    if (inflated.size > 8) inflated.delete(inflated.keys().next().value);
    const bytes = Uint8Array.from(atob(page.data.details.chunks[chunk]), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    inflated.set(chunk, new Response(stream).json());
  }
  return inflated.get(chunk);
}

function openRun(run) {
  location.hash = `run=${encodeURIComponent(run)}`;
}

function hashRun() {
  const match = /^#run=(.*)$/s.exec(location.hash);
  if (!match) return null;
  try {
    return decodeURIComponent(match[1]);
  } catch {
    return match[1];
  }
}

let detailRun = null;
let detailFrom = null; // what had the focus before the dialog

async function showHash() {
  const run = hashRun();
  const dialog = byId("detail");
  if (run === null) {
    if (dialog.open) dialog.close();
    return;
  }
  detailRun = run;
  dropCharts(dialog);
  const content = el("div", { class: "detail-body" }, el("p", { class: "muted" }, "Reading …"));
  dialog.replaceChildren(detailTop(run), content);
  if (!dialog.open) {
    detailFrom = document.activeElement;
    dialog.showModal(); // gives the focus to what has autofocus
  } else dialog.querySelector("[autofocus]").focus();
  const record = await findRecord(run);
  if (detailRun !== run) return; // another was asked for meanwhile
  if (record instanceof Error) content.replaceChildren(el("p", { class: "empty" }, record.message));
  else {
    dialog.querySelector(".detail-tags").replaceChildren(...detailTags(record));
    dialog.querySelector("h2").textContent = `${record.algorithm.name} on ${record.task.name}`;
    content.replaceChildren(...recordParts(record));
  }
  dialog.scrollTop = 0;
}

async function findRecord(run) {
  const { index, chunks } = page.data.details || { index: {}, chunks: [] };
  if (!Object.hasOwn(index, run)) return new Error(`There is no run of this name on this page: ${run.slice(0, 200)}`);
  const [chunk, position] = index[run];
  if (typeof DecompressionStream === "undefined") return new Error("This browser cannot inflate the Record; the table has its figures, and bench show all of it.");
  if (chunk >= chunks.length) return new Error("The Record of this run is not in this page.");
  try {
    return (await inflate(chunk))[position];
  } catch (error) {
    return new Error(`The Record of this run cannot be read: ${error.message}`);
  }
}

function detailTop(run) {
  const go = (step) => () => {
    const rows = runsView.shown;
    const at = rows.findIndex((row) => runsView.table.get("run", row) === run);
    const next = rows[at + step];
    if (next !== undefined) location.replace(`#run=${encodeURIComponent(runsView.table.get("run", next))}`);
  };
  const button = (text, label, onclick, autofocus) => el("button", { type: "button", class: "quiet", "aria-label": label, onclick, autofocus }, text);
  return el(
    "div",
    { class: "detail-top" },
    el("div", { class: "detail-heading" }, el("h2", { id: "detail-title" }, run), el("p", { class: "muted run-name" }, run)),
    el("div", { class: "tools" }, button("↑", "The run above in the table", go(-1)), button("↓", "The run below in the table", go(1)), button("✕", "Close", () => byId("detail").close(), true)),
    el("div", { class: "tags detail-tags" }),
    command(`bench show ${/^[\w.-]+$/.test(run) ? run : `'${run.replaceAll("'", "'\\''")}'`}`),
  );
}

function detailTags(record) {
  const exam = record.exam ? tag(`exam, pair ${record.exam.pair}`, "", record.exam.exam) : null;
  const status = stateTag({ ok: "met", failed: "refuted" }[record.status] || "open", record.status);
  return [status, tag(record.kind), sourceTag(record.source), tag(words(record.process)), tag(day(record.started_at)), exam].filter(Boolean);
}

function startDetail() {
  const dialog = byId("detail");
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  dialog.addEventListener("close", () => {
    detailRun = null;
    byId("tip").hidden = true;
    document.body.append(byId("tip"));
    dropCharts(dialog);
    dialog.replaceChildren();
    if (hashRun() !== null) {
      try {
        history.replaceState(null, "", location.pathname + location.search);
      } catch {
        location.hash = ""; // where a page from disk may not change its address
      }
    }
    if (detailFrom && detailFrom.isConnected) detailFrom.focus({ preventScroll: true });
  });
  addEventListener("hashchange", showHash);
  showHash();
}
