// Light, dark, or as the system says; charts ask here for their colours.

const THEMES = ["system", "light", "dark"];
const systemDark = matchMedia("(prefers-color-scheme: dark)");
const themeListeners = [];
let theme = "system";

function isDark() {
  return theme === "system" ? systemDark.matches : theme === "dark";
}

function setTheme(name) {
  const before = isDark();
  theme = THEMES.includes(name) ? name : "system";
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  try {
    localStorage.setItem("joulebench-theme", theme);
  } catch {
    // A page from disk may have no storage: the choice then lasts as long as the page.
  }
  const button = byId("theme");
  button.textContent = { system: "◐ System", light: "○ Light", dark: "● Dark" }[theme];
  button.setAttribute("aria-label", `Colours: ${theme}. Press for the next of ${THEMES.join(", ")}`);
  if (isDark() !== before) themeListeners.forEach((tell) => tell());
}

function startTheme() {
  let stored = "system";
  try {
    stored = localStorage.getItem("joulebench-theme") || "system";
  } catch {
    stored = "system";
  }
  setTheme(stored);
  byId("theme").addEventListener("click", () => {
    setTheme(THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length]);
  });
  systemDark.addEventListener("change", () => {
    if (theme === "system") themeListeners.forEach((tell) => tell());
  });
}

// A colour of the style sheet, as it is now.
function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}
