// The page: its sections in order, each drawn from the data by one function.

const page = { data: null, tables: {}, places: new Map() };
const SECTIONS = [
  { id: "verdicts", title: "Verdicts", about: "Does the candidate reach the score on less energy than the tuned baseline? Declared before the first run.", render: renderVerdicts, uses: (d) => [d.verdicts] },
  { id: "board", title: "Boards", about: "Who meets the target on the least energy. A board holds one task variant, bar, energy source and device class; nothing else is compared.", render: renderBoard, uses: (d) => [d.tables.board] },
  { id: "front", title: "Energy against score", nav: "Front", about: "What each algorithm spends to meet each bar, and who nobody beats.", render: renderFront, uses: (d) => [d.tables.front, d.charts.front] },
  { id: "curves", title: "Energy-to-score curves", nav: "Curves", about: "The score while training goes on, against the joules spent so far.", render: renderCurves, uses: (d) => [d.tables.curves, d.tables.bars, d.charts.curves] },
  { id: "traces", title: "Power traces", nav: "Power", about: "Watts over time, as the sensors were read, with the phases of the run.", render: renderTraces, uses: (d) => [d.traces] },
  { id: "cube", title: "The cube", nav: "Cube", about: "Process × metric × problem: who is best where, and what nobody has tried yet.", render: renderCube, uses: (d) => [d.tables.cube] },
  { id: "trust", title: "Cheap metrics", about: "Whether seconds, counts or modelled joules may stand in for measured ones when algorithms are ranked.", render: renderTrust, uses: (d) => [d.tables.audit] },
  { id: "runs", title: "Runs", about: "Every Record, finished or not. A row opens all that is known of it.", render: (body) => runsTable.build(body), uses: () => [] },
  { id: "films", title: "Films", about: "What algorithms drew of their training, once everything had been measured.", render: renderFilms, uses: (d) => [d.pictures] },
];

function take(data) {
  page.data = data;
  page.tables = {};
  for (const name of ["runs", "board", "front", "curves", "bars", "cube", "audit"]) {
    page.tables[name] = new Table(name, (data.tables || {})[name]);
  }
  const runs = page.tables.runs;
  page.places = new Map();
  for (let row = 0; row < runs.rows; row++) page.places.set(runs.get("run", row), row);
  inflated.clear();
}

function renderSection(id) {
  const { render } = SECTIONS.find((section) => section.id === id);
  const body = byId(id).querySelector(".body");
  const keep = remember(body);
  body.style.minHeight = `${body.offsetHeight}px`; // what is below must not jump meanwhile
  dropCharts(body);
  body.replaceChildren();
  try {
    render(body);
  } catch (error) {
    console.error(error);
    body.replaceChildren(el("p", { class: "empty" }, `This part cannot be shown: ${error.message}`));
  }
  keep();
  body.style.minHeight = "";
}

// What a reader had opened, scrolled and focused within a part that is drawn again.
function remember(body) {
  const key = (node) => node.querySelector("summary").textContent;
  const open = new Map([...body.querySelectorAll("details")].map((node) => [key(node), node.open]));
  const scrolled = [...body.querySelectorAll(".scroll")].map((node) => [node.scrollLeft, node.scrollTop]);
  const able = () => [...body.querySelectorAll("a, button, select, summary, [tabindex]")];
  const focus = able().indexOf(document.activeElement);
  return () => {
    for (const node of body.querySelectorAll("details")) if (open.has(key(node))) node.open = open.get(key(node));
    [...body.querySelectorAll(".scroll")].forEach((node, i) => scrolled[i] && ([node.scrollLeft, node.scrollTop] = scrolled[i]));
    if (focus >= 0 && able()[focus]) able()[focus].focus({ preventScroll: true });
  };
}

function renderTop() {
  const { about, data } = { about: page.data.about, data: page.data };
  byId("title").textContent = data.title || "joulebench";
  const kinds = Object.entries(about.kinds || {}).map(([kind, n]) => counted(n, kind));
  const facts_ = [
    counted(about.records, "Record"),
    kinds.length > 1 ? kinds.join(", ") : null,
    about.failed ? `${about.failed} failed` : null,
    about.interrupted ? `${about.interrupted} interrupted` : null,
    (about.devices || []).slice(0, 3).join("; "),
    `made ${day(data.made_at)} UTC by joulebench ${data.joulebench}`,
  ];
  byId("meta").textContent = facts_.filter(Boolean).join(" · ");
  byId("known").replaceChildren(...knownBy());
  const { problems } = data;
  byId("problems").hidden = !problems.length;
  byId("problems").querySelector("summary").textContent = counted(problems.length, "thing could not be read", "things could not be read");
  byId("problems").querySelector("ul").replaceChildren(...problems.slice(0, 200).map((text) => el("li", {}, text)));
  byId("foot").textContent = `From ${data.folders.join(", ")}. Nothing on this page was loaded from anywhere; intervals are those of the Records, and modelled joules are marked wherever they stand.`;
}

// The first thing to know of any joule here: whether a sensor read it.
function knownBy() {
  const runs = page.tables.runs;
  const sources = runs.texts("source");
  if (!sources.length) return [el("span", { class: "muted" }, `There are no Records here yet. Make one with: ${page.data.about.make_one}`)];
  return [el("span", { class: "muted" }, "Joules:"), ...sources.slice(0, 6).map(([source, n]) => el("span", { class: "known-one" }, sourceTag(source), ` ${counted(n, "run")}`))];
}

function update(data) {
  const before = new Map(SECTIONS.map((section) => [section.id, JSON.stringify(section.uses(page.data))]));
  take(data);
  renderTop();
  for (const { id, uses } of SECTIONS) {
    if (id !== "runs" && JSON.stringify(uses(data)) !== before.get(id)) renderSection(id);
  }
  runsView.take(page.tables.runs);
  const top = runsTable.box.scrollTop;
  runsTable.controls();
  runsTable.draw();
  runsTable.box.scrollTop = top;
}

function buildSections() {
  const main = byId("main");
  main.replaceChildren();
  for (const { id, title, nav, about } of SECTIONS) {
    byId("nav").append(el("li", {}, el("a", { href: `#${id}` }, nav || title)));
    main.append(el("section", { id, class: "section", tabindex: "-1", "aria-labelledby": `${id}-title` }, el("h2", { id: `${id}-title` }, title), el("p", { class: "about" }, about), el("div", { class: "body" })));
  }
  const links = new Map([...byId("nav").querySelectorAll("a")].map((link) => [link.hash.slice(1), link]));
  const seen = new IntersectionObserver(
    (entries) => {
      for (const entry of entries) {
        if (!entry.isIntersecting) continue;
        for (const [id, link] of links) {
          if (id === entry.target.id) link.setAttribute("aria-current", "true");
          else link.removeAttribute("aria-current");
        }
      }
    },
    { rootMargin: "-20% 0px -70% 0px" },
  );
  for (const section of main.children) seen.observe(section);
}

function start() {
  startTheme();
  take(JSON.parse(byId("data").textContent));
  buildSections();
  renderTop();
  for (const { id } of SECTIONS) renderSection(id);
  runsView.take(page.tables.runs);
  runsTable.controls();
  runsTable.draw();
  startCharts();
  startDetail();
  if (page.data.served) watchRecords(page.data.served);
}

start();
