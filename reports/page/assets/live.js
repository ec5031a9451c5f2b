// A served page asks whether the Records changed, and takes what is new without losing its place.

async function watchRecords(served) {
  const label = byId("live");
  label.hidden = false;
  const say = (text, kind) => {
    label.textContent = text;
    label.className = `live ${kind}`;
  };
  say("● live", "on");
  let known = served.stamp ?? null;
  for (;;) {
    let text = null;
    try {
      const stamp = await asked_("stamp");
      known = known ?? stamp;
      if (stamp !== known) text = await asked_("data.json");
      if (label.classList.contains("off")) say("● live", "on");
    } catch {
      say("○ the server does not answer", "off");
    }
    if (text !== null) {
      const data = JSON.parse(text);
      known = data.served.stamp; // the server says what this is of
      update(data);
      say(`● live, new at ${new Date().toLocaleTimeString("en-GB")}`, "on");
    }
    await new Promise((done) => setTimeout(done, 1000 * Math.max(0.2, served.every_s || 2)));
  }
}

async function asked_(path) {
  const answer = await fetch(path, { cache: "no-store" });
  if (!answer.ok) throw new Error(String(answer.status));
  return answer.text();
}
