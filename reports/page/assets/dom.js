// Elements without markup: what comes from Records only ever becomes text, so that no name can run.

const SVG = "http://www.w3.org/2000/svg";

// el("p", {class: "x", onclick: f}, "text", child, null): null and false are left out.
function el(name, props, ...children) {
  return fill(document.createElement(name), props, children);
}

function svg(name, props, ...children) {
  return fill(document.createElementNS(SVG, name), props, children);
}

function fill(node, props, children) {
  for (const [key, value] of Object.entries(props || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else node.setAttribute(key, value === true ? "" : String(value));
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

function byId(id) {
  return document.getElementById(id);
}

// What a picture or a bare sign means, for those who hear the page.
function hidden(text) {
  return el("span", { class: "hear" }, text);
}

function tag(text, kind, title) {
  return el("span", { class: `tag ${kind || ""}`, title }, text);
}

// "modelled · cpu_time" or "measured · nvml": stands wherever joules do.
function sourceTag(source) {
  if (!source) return null;
  const [kind, ...rest] = String(source).split(":");
  const modelled = kind === "modelled";
  const title = modelled
    ? "These joules come from a model, no sensor read them"
    : "These joules were read from a sensor";
  return tag(rest.length ? `${kind} · ${rest.join(":")}` : kind, modelled ? "modelled" : "measured", title);
}

// Colour is never alone: each state has a sign and a word.
const STATES = {
  met: { sign: "✓", word: "met", kind: "good" },
  refuted: { sign: "✕", word: "not met", kind: "bad" },
  open: { sign: "?", word: "not decided", kind: "open" },
};

function stateTag(state, word) {
  const known = STATES[state] || STATES.open;
  return el(
    "span",
    { class: `state ${known.kind}` },
    el("span", { class: "sign", "aria-hidden": "true" }, known.sign),
    word || known.word,
  );
}

function metTag(met) {
  return met === null || met === undefined ? "" : stateTag(met ? "met" : "refuted");
}

// A command with a button that copies it.
function command(text) {
  return el("div", { class: "command" }, el("code", { tabindex: "0" }, text), copyButton(text));
}

function copyButton(text) {
  const button = el("button", { type: "button", class: "quiet copy" }, "Copy");
  button.addEventListener("click", async () => {
    const done = await copy(text);
    button.textContent = done ? "Copied" : "Select it by hand";
    setTimeout(() => (button.textContent = "Copy"), 1600);
  });
  return button;
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Pages from disk have no clipboard in some browsers; the old way still works there.
    const area = el("textarea", { class: "hear" });
    area.value = text;
    (document.querySelector("dialog[open]") || document.body).append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}

// What to say where there is nothing, and the command that changes that.
function emptyNote(text, words) {
  return el("div", { class: "empty" }, el("p", {}, text), words ? command(words) : null);
}

// Something folded away, which is made when it is first opened: many rows that nobody sees cost a reader time.
function folded(props, summary, make) {
  const node = el("details", props, summary);
  let made = false;
  const fill_ = () => {
    if (made || !node.open) return;
    made = true;
    node.append(make());
  };
  node.addEventListener("toggle", fill_);
  fill_();
  return node;
}

function runLink(run, text) {
  return el("a", { href: `#run=${encodeURIComponent(run)}`, class: "run-link" }, text || run);
}

// A select that keeps its choice by value; options are [value, text].
function picker(label, options, chosen, onchange) {
  const select = el(
    "select",
    { onchange: () => onchange(select.value) },
    options.map(([value, text]) => el("option", { value, selected: value === chosen }, text)),
  );
  return el("label", { class: "picker" }, el("span", {}, label), select);
}
