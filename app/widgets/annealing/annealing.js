// The server trains, the page asks how far it is and draws. Everybody who takes the same beginning sees the same two runs:
// what was trained for somebody before arrives at once and is shown as it went, only quicker.
const LEAST = 1, MOST = 9, WHOLE = 6000; // milliseconds that a run takes at least to be shown
const still = matchMedia("(prefers-reduced-motion: reduce)");
// Of “known”, all that the server has told, “curves” is what is shown, as far as “step”.
function nothing() {
  return { known: [[], []], curves: [[], []], step: 0, written: [[], []], trained: false, before: false, done: false, ahead: 0, running: false, problem: "" };
}
const state = { seed: askedWhole("seed", 1, LEAST, MOST), ...nothing(), turn: 0, steps: 1, entropy: 0, unconditional: 0 };
const [STEP, WEIGHT, RECONSTRUCTION, KL] = [0, 1, 2, 3];
const seed = slider({ name: "seed", label: "beginning", term: "seed", least: LEAST, most: MOST, step: 1, value: state.seed, shown: String, onInput: (value) => { state.seed = value; forget(); remember(link()); } });
find(".sliders").append(seed.row);
find(".run").addEventListener("click", (event) => { if (!rests(event.currentTarget)) run(); });

const link = () => ({ seed: state.seed });

function forget() {
  state.turn += 1;
  Object.assign(state, nothing());
  redraw();
}
const wait = (ms) => new Promise((done) => setTimeout(done, ms));
async function run() {
  forget();
  state.running = true;
  remember(link());
  redraw();
  const mine = state.turn;
  reveal(mine, performance.now());
  for (let begin = true; !state.trained; begin = false) {
    const answer = await fromServer("train", { seed: state.seed, after: state.known[0].length, begin });
    if (mine !== state.turn) return;
    if (answer.error) { Object.assign(state, { problem: answer.error, running: false }); redraw(); return; }
    state.before = answer.done && !state.known[0].length;
    answer.points.forEach((points, at) => state.known[at].push(...points));
    Object.assign(state, { written: answer.written, trained: answer.done, ahead: answer.ahead, steps: answer.steps, entropy: answer.entropy, unconditional: answer.unconditional });
    redraw();
    if (!state.trained) await wait(element.getClientRects().length ? 250 : 1500);
    if (mine !== state.turn) return;
  }
}
function reveal(mine, last) {
  requestAnimationFrame((now) => {
    if (mine !== state.turn || !state.running) return;
    const [curve] = state.known, end = curve.length ? latest(curve)[STEP] : 0;
    state.step = still.matches ? end : Math.min(end, state.step + (state.steps * (now - last)) / WHOLE);
    const shown = curve.filter((point) => point[STEP] <= state.step).length, more = shown > state.curves[0].length;
    if (more) state.curves = state.known.map((known) => known.slice(0, shown));
    if (state.trained && shown === curve.length) Object.assign(state, { done: true, running: false });
    if (more || state.done) redraw();
    reveal(mine, now);
  });
}
const latest = (curve) => curve[curve.length - 1];
const recent = (curve, column) => { const last = curve.slice(-12); return last.reduce((sum, point) => sum + point[column], 0) / last.length; };

const redraw = picture(find(".plot"), () => 396, (width, height) => {
  const svg = find(".plot"), parts = [], add = (tag, attributes, text) => parts.push(shape(tag, attributes, text));
  const [with_, without] = state.curves, sum = (point) => point[RECONSTRUCTION] + point[KL];
  // The sum rises while the KL costs little: the scale grows with it, so that no curve leaves the picture.
  const most = Math.max(3, Math.ceil(Math.max(...[...with_, ...without].map(sum))));
  const X = linear(0, Math.max(1, state.steps), 40, width - 12), Y = linear(0, most, height - 80, 26);
  for (const nats of ticks(0, most, height - 106)) {
    add("path", { class: nats ? "grid" : "axis", d: "M40 " + Y(nats) + "H" + (width - 12) });
    add("text", { x: 32, y: Y(nats) + 4, "text-anchor": "end" }, nats);
  }
  if (with_.length) for (const at of ticks(0, state.steps, (width - 52) / 2)) add("text", { x: X(at), y: height - 28, "text-anchor": at === state.steps ? "end" : "middle" }, at);
  add("text", { class: "name", x: width - 12, y: height - 8, "text-anchor": "end" }, "steps of training");
  add("text", { class: "name", x: 8, y: 16 }, width < 480 ? "nats a step of a string" : "reconstruction, KL and their sum: nats a step of a string");
  if (with_.length) {
    add("path", { class: "limit", d: "M40 " + Y(state.entropy) + "H" + (width - 12) });
    add("text", { x: width - 16, y: Y(state.entropy) + 15, "text-anchor": "end" }, "entropy of the source " + say(state.entropy));
    add("text", { x: width - 16, y: Y(state.unconditional) - 8, "text-anchor": "end" }, "letters at random " + say(state.unconditional));
    const price = linear(0, 1, height - 46, height - 70), [first, last] = [with_[0], latest(with_)];
    add("path", { class: "filled", d: pathOf([[X(first[STEP]), price(0)], ...with_.map((point) => [X(point[STEP]), price(point[WEIGHT])]), [X(last[STEP]), price(0)]]) + "Z" });
    add("path", { class: "axis", d: "M40 " + price(0) + "H" + (width - 12) });
    add("text", { x: width - 16, y: height - 53, "text-anchor": "end" }, (width < 480 ? "price of the KL: " : "price of the KL, with annealing: ") + say(last[WEIGHT]));
    const line = (curve, value) => pathOf(curve.map((point) => [X(point[STEP]), Y(Math.max(0, value(point)))]));
    add("path", { class: "route", d: line(with_, (point) => point[KL]) });
    add("path", { class: "dashed", d: line(without, sum) });
    add("path", { class: "curve", d: line(with_, sum) });
    add("circle", { class: "point", cx: X(latest(with_)[STEP]), cy: Y(sum(latest(with_))), r: 5 });
  }
  svg.replaceChildren(...parts);
  const written = find(".written"), names = ["With annealing it writes", "At full price it writes"];
  written.replaceChildren(...(state.done ? names.map((name, at) => { const block = make("p", "", name); state.written[at].forEach((text) => block.append(make("code", "", text))); return block; }) : []));
  rest(find(".run"), state.running);
  find(".run").textContent = state.running ? (state.before ? "Showing …" : "Training …") : state.done ? "Watch again" : "Train both";
  Object.assign(section.dataset, { done: String(state.done), points: with_.length });
  const words = sentence(with_, without);
  svg.setAttribute("aria-label", words);
  tell(words);
});
function sentence(with_, without) {
  if (state.problem) return state.problem;
  if (!with_.length) return state.running ? (state.ahead ? "Another pair is being trained; this one comes next." : "The first steps …") : "Press Train both: it takes about ten seconds.";
  const written = (curve, column) => Number(recent(curve, column).toFixed(2)); // what is added is what is read
  const parts = (curve) => say(written(curve, RECONSTRUCTION)) + " + " + say(written(curve, KL)) + " = " + say(written(curve, RECONSTRUCTION) + written(curve, KL)) + " nats a step";
  Object.assign(section.dataset, { annealed: recent(with_, RECONSTRUCTION) + recent(with_, KL), full: recent(without, RECONSTRUCTION) + recent(without, KL), kl: recent(without, KL) });
  const price = state.done ? "" : " Price of the KL for the first now: " + say(latest(with_)[WEIGHT]) + ".";
  return (state.before ? "Trained before, when this beginning was first taken; shown as it went. " : "") + "Step " + latest(with_)[STEP] + " of " + state.steps + ". Reconstruction + KL, with annealing " + parts(with_) + "; at full price " + parts(without) + "." + price;
}
redraw();
opened(link());
