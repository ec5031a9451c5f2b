// Vega charts: drawn when they first come into view, and again when light turns dark or the figures change.

const FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif';
// Okabe and Ito's colours, made for colour-blind readers; the last is the text's own, black or white.
const PALETTE = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"];
const SYMBOLS = [
  ...["circle", "square", "triangle-up", "diamond", "triangle-down", "cross", "triangle-right", "triangle-left"],
  "M-1,-1L1,1M-1,1L1,-1",
  "M0,-1L0.87,-0.5L0.87,0.5L0,1L-0.87,0.5L-0.87,-0.5Z",
  "M0,-1L0.23,-0.31L0.95,-0.31L0.36,0.12L0.59,0.81L0,0.38L-0.59,0.81L-0.36,0.12L-0.95,-0.31L-0.23,-0.31Z",
];
const charts = new Set();
let watching = null;

// A figure that draws itself when seen. label: what it shows, for those who hear the page.
function chart(spec, label) {
  const place = el("div", { class: "chart", role: "figure", "aria-label": label });
  place.style.minHeight = `${(spec.height || 240) + 90}px`;
  const made = { spec, place, view: null, drawn: false, columns: 0 };
  place.chart = made;
  charts.add(made);
  watch().observe(place);
  return place;
}

function watch() {
  watching = watching || new IntersectionObserver(
    (seen) => {
      for (const { target, isIntersecting } of seen) {
        if (isIntersecting && !target.chart.drawn) draw(target.chart);
      }
    },
    { rootMargin: "300px 0px" },
  );
  return watching;
}

async function draw(made) {
  made.drawn = true;
  made.columns = legendColumns(made);
  const options = {
    mode: "vega-lite",
    renderer: "svg",
    actions: false,
    defaultStyle: false,
    ast: true, // expressions are interpreted: the page's policy allows no eval
    tooltip: showTip,
    config: chartConfig(made.columns),
  };
  const holder = el("div", { class: "vega" });
  try {
    const { view } = await window.vegaEmbed(holder, plainCopy(made.spec), options);
    if (made.view) made.view.finalize();
    made.view = view;
    made.place.replaceChildren(holder);
    made.place.style.minHeight = "";
    // Its width was taken while it hung nowhere.
    await view.resize().width(made.place.clientWidth).runAsync();
    window.dispatchEvent(new Event("resize"));
  } catch (error) {
    made.place.replaceChildren(el("p", { class: "empty" }, `This chart cannot be drawn: ${error.message}`));
  }
}

function plainCopy(value) {
  return JSON.parse(JSON.stringify(value));
}

// As many names beside each other as there is room for, by the longest of them.
function legendColumns({ place, spec }) {
  const names = spec.layer.flatMap(({ encoding }) => encoding?.color?.legend?.values ?? []);
  const longest = Math.min(28, Math.max(12, ...names.map((name) => name.length)));
  return Math.max(1, Math.min(8, Math.floor((place.clientWidth - 50) / (longest * 6.6 + 36))));
}

// Charts that nobody sees any more, and all that must change their colours.
function dropCharts(within) {
  for (const made of [...charts]) {
    if (!within.contains(made.place)) continue;
    if (made.view) made.view.finalize();
    if (watching) watching.unobserve(made.place);
    charts.delete(made);
  }
}

function redrawCharts(which) {
  for (const made of charts) {
    if (!made.drawn || (which && !which(made))) continue;
    const box = made.place.getBoundingClientRect();
    if (box.bottom > -300 && box.top < innerHeight + 300) draw(made);
    else {
      made.drawn = false; // drawn again when it comes into view
      watch().unobserve(made.place);
      watch().observe(made.place);
    }
  }
}

function startCharts() {
  themeListeners.push(() => redrawCharts());
  let waiting = 0;
  addEventListener("resize", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => redrawCharts((made) => made.columns !== legendColumns(made)), 200);
  });
}

function chartConfig(columns) {
  const [text, muted, line, surface, accent] = ["text", "muted", "line", "surface", "accent"].map(colour);
  const label = { labelFont: FONT, titleFont: FONT, labelFontSize: 12, titleFontSize: 12, labelColor: muted, titleColor: muted };
  return {
    background: null,
    font: FONT,
    autosize: { type: "fit-x", contains: "padding" },
    view: { stroke: null },
    range: { category: [...PALETTE, text], symbol: SYMBOLS },
    axis: { ...label, titleFontWeight: 500, titlePadding: 10, gridColor: line, domainColor: line, tickColor: line, tickSize: 4 },
    axisX: { grid: false },
    axisY: { domain: false, ticks: false, labelPadding: 8, tickCount: 6 },
    legend: { ...label, labelColor: text, orient: "bottom", direction: "horizontal", columns, labelLimit: 190, symbolSize: 70, symbolStrokeWidth: 1.6, symbolOpacity: 1, rowPadding: 5, columnPadding: 18, offset: 14 },
    style: {
      held: { color: muted, strokeDash: [4, 4], strokeWidth: 1, opacity: 0.8 },
      "held-name": { color: muted, fontSize: 11, font: FONT },
      front: { color: muted, strokeWidth: 1.6, opacity: 0.8 },
      interval: { color: accent, strokeWidth: 1.3 },
      filled: { size: 75, opacity: 1, strokeWidth: 1.2 },
      hollow: { size: 75, fill: surface, filled: false, strokeWidth: 1.8, opacity: 1 },
      thin: { strokeWidth: 0.8 },
      draw: { color: accent, strokeWidth: 1.5 },
      median: { strokeWidth: 2.6 },
      pause: { color: accent, size: 30, opacity: 1 },
      phase: { fillOpacity: isDark() ? 0.16 : 0.35 },
      power: { strokeWidth: 1.4, fill: null },
    },
  };
}

// Vega's own tooltip writes markup; this one writes text.
function showTip(handler, event, item, value) {
  const tip = byId("tip");
  if (!value || typeof value !== "object") {
    tip.hidden = true;
    return;
  }
  const lines = Object.entries(value).filter(([, said]) => said !== null && said !== undefined && said !== "");
  tip.replaceChildren(el("dl", {}, lines.map(([name, said]) => [el("dt", {}, name), el("dd", {}, String(said))]).flat()));
  tip.hidden = false;
  const host = document.querySelector("dialog[open]") || document.body;
  if (tip.parentNode !== host) host.append(tip); // a dialog lies above all that is outside it
  const { width, height } = tip.getBoundingClientRect();
  tip.style.left = `${Math.max(8, Math.min(event.clientX + 14, innerWidth - width - 8))}px`;
  tip.style.top = `${event.clientY + 18 + height > innerHeight ? event.clientY - height - 10 : event.clientY + 18}px`;
}
