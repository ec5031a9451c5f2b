// Films and pictures that algorithms drew of their training. A film stands still where the reader wants no motion.

const still = matchMedia("(prefers-reduced-motion: reduce)");
const FILMS_AT_FIRST = 6; // runs
let allFilms = false;

function renderFilms(body) {
  const runs = Object.keys(page.data.pictures || {});
  if (!runs.length) {
    const missing = (page.data.about.pictures || {}).missing;
    const gone = missing ? `${counted(missing, "picture")} of these runs did not come along with the Records. ` : "";
    body.append(emptyNote(`${gone}Algorithms that draw leave films and diagrams of their training beside the Records:`, "bench run task=sparse_parity algo=hypercell algo.film=true"));
    return;
  }
  const moving = (run) => page.data.pictures[run].some((picture) => picture.type === "image/gif");
  const ordered_ = [...runs].sort((a, b) => moving(b) - moving(a) || (a < b ? 1 : -1));
  const some = allFilms ? ordered_ : ordered_.slice(0, FILMS_AT_FIRST);
  body.append(el("div", { class: "films" }, some.map((run) => filmCards(run, true))));
  const left = (page.data.about.pictures || {}).left_out;
  if (left) body.append(el("p", { class: "muted" }, `${counted(left, "older picture is", "older pictures are")} left out of this page.`));
  if (some.length < runs.length) {
    const more = () => {
      allFilms = true;
      renderSection("films");
    };
    body.append(el("button", { type: "button", class: "more", onclick: more }, `Show the pictures of ${runs.length - some.length} more runs`));
  }
}

function filmCards(run, named) {
  const pictures = [...page.data.pictures[run]].sort((a, b) => (b.type === "image/gif") - (a.type === "image/gif"));
  const cards = pictures.map((picture) => filmCard(run, picture));
  const heading = named ? el("h3", {}, runLink(run, traceName(run))) : null;
  return el("div", { class: "film-run" }, heading, el("div", { class: "film-row" }, cards));
}

function filmCard(run, picture) {
  const moves = picture.type === "image/gif";
  const place = page.places.get(run);
  const who = place === undefined ? run : `${page.tables.runs.get("algo", place)} on ${page.tables.runs.get("task", place)}`;
  const image = el("img", { alt: `${moves ? "Film" : "Picture"} ${picture.name} of ${who}`, loading: "lazy", decoding: "async" });
  if (/^data:image\/(png|gif|svg\+xml);base64,/.test(picture.uri)) image.src = picture.uri;
  const frame = el("div", { class: "frame" }, image);
  const card = el("figure", { class: "film" }, frame, el("figcaption", {}, el("span", { class: "muted" }, picture.name)));
  if (moves) card.querySelector("figcaption").append(filmButton(frame, image));
  return card;
}

// A film is an animated GIF, which nothing can stop: while it rests its first frame is shown instead.
function filmButton(frame, image) {
  const rest = el("canvas", { role: "img", "aria-label": `${image.alt}, first frame` });
  let playing = true;
  const button = el("button", { type: "button", class: "quiet" });
  const set = (on) => {
    playing = on;
    button.textContent = on ? "❚❚ Pause" : "▶ Play";
    frame.replaceChildren(on ? image : rest);
  };
  const take = () => {
    [rest.width, rest.height] = [image.naturalWidth, image.naturalHeight];
    rest.getContext("2d").drawImage(image, 0, 0);
  };
  button.addEventListener("click", () => set(!playing));
  image.loading = "eager"; // it must be there to take its first frame, though it may not be shown
  image.addEventListener("load", take);
  if (image.complete && image.naturalWidth) take();
  set(!still.matches);
  still.addEventListener("change", () => still.matches && set(false));
  return button;
}
