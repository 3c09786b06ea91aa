// Every stop does on the page what a visitor would do: presses, chooses, opens a tab.
const page = (selector) => document.querySelector(selector);
const pause = (ms) => new Promise((done) => setTimeout(done, ms));
const words = () => (page("#status .words") || {}).textContent || "";
function choose(...keys) {
  for (const key of keys) {
    const input = [...document.querySelectorAll("#model-bar input")].find((one) => one.dataset.key === key);
    if (input && !input.disabled && !input.checked) input.click();
  }
}
async function draw(variant, mine) {
  openTab("sample");
  choose("set jsb", "variant " + variant);
  // A press while the sample of the stop before is on its way is lost: press until one of this model has come.
  const old = words(), name = variant.toUpperCase().replace("-", "/") + " ";
  const come = () => words() !== old && words().startsWith(name) && page("#roll .watch") && !page("#roll .watch").hidden;
  for (let tries = 0; tries < 40 && mine() && !come(); tries++) {
    if (!page("#status .pending")) page("#sample-button").click();
    await whenThere(() => come() || !mine(), 1000);
  }
  if (!mine() || !come()) return;
  await pause(400); // it is seen whole before it is drawn again
  if (mine() && !isStill()) page("#roll .watch").click();
}
function drawCloud(mine) {
  choose("set ptb", "variant af-scf");
  openTab("latent");
  // Its widget is made when the tab is first opened.
  const isDrawn = () => page("#cloud .title")?.textContent.includes("Penn") && page("#cloud canvas.points").checkVisibility();
  return whenThere(() => !mine() || isDrawn());
}
const STOPS = [
  { head: "Music nobody wrote", at: "#roll", words: "A small network dreamt this up. Press Play to hear it; each bar on the picture is a held note.", run: () => openTab("sample") },
  { head: "One step after another", at: "#roll", words: "“Step by step”: every chord is made from those before it, so the machine must wait for each one. ", moving: "Watch the roll fill, slowed down.", still: "Press “Watch it being drawn” to see that slowed down.", run: (mine) => draw("af-scf", mine) },
  { head: "All at once", at: "#roll", words: "“All at once”: every chord is made from noise, which is all there from the start, so none waits for another. Quicker, and a little rougher. Which do you like better?", run: (mine) => draw("iaf-scf", mine) },
  { head: "Where the choice lies", at: "#cloud canvas.points", words: "Each point is one hidden vector the next step could have; its colour is the letter it stands for. Many hills are many choices. ", moving: "Watch them grow out of plain noise.", still: "Press Bend to see them grow out of plain noise.", run: drawCloud, after: () => page("#cloud .bend").click() },
  { head: "Your turn", at: "#tabs", words: "Race the models, look inside a sequence, take the lessons, or go on from a melody of your own under More. Every view has its own address to share.", run: () => { choose("set jsb"); openTab("sample"); } },
];
let at = -1, turn = 0;
const card = find(".card");
function go(to) {
  const mine = ((number) => () => number === turn)(++turn);
  at = to;
  const stop = STOPS[at], done = !stop;
  card.hidden = done;
  find(".start").setAttribute("aria-expanded", String(!done));
  if (done) { at = -1; find(".start").focus(); return; }
  find(".place").textContent = at + 1 + " of " + STOPS.length;
  find(".head").textContent = stop.head;
  find(".words").textContent = stop.words + ((isStill() ? stop.still : stop.moving) || "");
  find(".before").disabled = at === 0;
  find(".next").textContent = at === STOPS.length - 1 ? "Done" : "Next";
  Promise.resolve(stop.run(mine)).then(async () => {
    const target = page(stop.at);
    if (mine() && target) target.scrollIntoView({ block: window.innerWidth <= 700 ? "start" : "center", behavior: pace() });
    if (!stop.after || isStill()) return;
    await pause(1500); // it is seen whole before it moves
    if (mine()) stop.after();
  });
  find(".next").focus({ preventScroll: true });
}
find(".start").addEventListener("click", () => go(0));
find(".next").addEventListener("click", () => go(at + 1));
find(".before").addEventListener("click", () => go(at - 1));
find(".skip").addEventListener("click", () => go(STOPS.length));
card.addEventListener("keydown", (event) => { if (event.key === "Escape") go(STOPS.length); });
