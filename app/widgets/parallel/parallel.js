// A node can be computed in turn k when all it waits for was known in turn k - 1: the picture counts, it does not assume.
const KINDS = [["af", "told the vectors (AF)"], ["iaf", "told the noise (IAF)"]];
const TASKS = [["draw", "draw: ε to z"], ["score", "score: z to ε"]];
const keys = (list) => list.map(([key]) => key);
const state = { kind: askedOne("kind", "af", keys(KINDS)), task: askedOne("task", "draw", keys(TASKS)), length: askedWhole("length", 8, 2, 16), step: 0, turn: 0 }; // the turn that was run up to, Infinity at the end
state.step = askedWhole("step", Math.min(5, state.length), 1, state.length);
const svg = find(".plot");
let timer = 0;

const markKind = choice(find(".kinds"), KINDS, state.kind, (key) => { state.kind = key; markKind(key); moved(); });
const markTask = choice(find(".tasks"), TASKS, state.task, (key) => { state.task = key; markTask(key); moved(); });
const length = slider({ name: "length", label: "steps in the sequence", term: "T", least: 2, most: 16, step: 1, value: state.length, shown: String, onInput: (value) => { state.length = value; step.limit(value); state.step = step.get(); moved(); } });
const step = slider({ name: "step", label: "step to look at", term: "t", least: 1, most: state.length, step: 1, value: state.step, shown: String, onInput: (value) => { state.step = value; looked(); } });
find(".sliders").append(length.row, step.row);
find(".run").addEventListener("click", () => {
  clearInterval(timer);
  const last = Math.max(...turns());
  state.turn = 0;
  redraw();
  // A turn is as long for a few as for one, so that waiting in line is seen to take longer.
  timer = setInterval(() => {
    state.turn += 1;
    redraw();
    if (state.turn >= last) { clearInterval(timer); state.turn = Infinity; redraw(); }
  }, Math.max(160, Math.min(400, 2400 / last)));
});
// What is to be predicted is hidden again; another step to look at changes nothing of it.
function moved() { clearInterval(timer); state.turn = 0; looked(); }
function looked() { redraw(); remember(link()); }
const link = () => ({ kind: state.kind, task: state.task, length: state.length, step: state.step });

// What the unknown of step t waits for: the known one of the same step, and what the flow is told of the steps before.
function waitsFor(t) {
  const told = state.kind === "af" ? "z" : "noise", unknown = state.task === "draw" ? "z" : "noise", given = unknown === "z" ? "noise" : "z";
  return [[given, t], ...Array.from({ length: t - 1 }, (_, at) => [told, at + 1])];
}
function turns() {
  const unknown = state.task === "draw" ? "z" : "noise", at = [];
  for (let t = 1; t <= state.length; t++) at.push(1 + Math.max(0, ...waitsFor(t).filter(([row]) => row === unknown).map(([, before]) => at[before - 1])));
  return at;
}

const redraw = picture(svg, () => 270, (width) => {
  const parts = [], add = (tag, attributes, text) => parts.push(shape(tag, attributes, text));
  const gap = (width - 84) / state.length, radius = Math.min(15, gap * 0.34), tip = Math.min(9, radius), X = (t) => 74 + gap * (t - 0.5), Y = { noise: 192, z: 78 };
  const unknown = state.task === "draw" ? "z" : "noise", when = turns(), total = Math.max(...when);
  add("text", { class: "name", x: 8, y: Y.z + 5 }, "vectors z");
  add("text", { class: "name", x: 8, y: Y.noise + 5 }, "noise ε");
  add("text", { x: 8, y: unknown === "z" ? Y.z - 50 : Y.noise + 56 }, "in turn");
  for (let t = 1; t <= state.length; t++)
    for (const [row, from] of waitsFor(t)) {
      const now = t === state.step, same = row === unknown, lift = same ? (unknown === "z" ? -1 : 1) * Math.min(28, 10 + 3 * (t - from)) : 0;
      const a = [X(from), Y[row] + (row === "z" ? 1 : -1) * radius * (same ? -1 : 1)], b = [X(t), Y[unknown] + (unknown === "z" ? 1 : -1) * radius * (same ? -1 : 1)];
      if (!now && t - from > 1) continue; // the others' long arrows would hide those looked at
      const over = [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2 + 2 * lift], angle = (Math.atan2(b[1] - over[1], b[0] - over[0]) * 180) / Math.PI;
      add("path", { class: "arrow" + (now ? " now" : ""), d: "M" + a.join(" ") + " Q" + over.join(" ") + " " + b.join(" ") });
      add("path", { class: "head" + (now ? " now" : ""), d: "M0 0L-" + tip + " -" + tip / 2 + "V" + tip / 2 + "Z", transform: "translate(" + b.map((v) => v.toFixed(1)).join(" ") + ") rotate(" + angle.toFixed(1) + ")" });
    }
  for (const row of ["noise", "z"])
    for (let t = 1; t <= state.length; t++) {
      const ready = row !== unknown || when[t - 1] <= state.turn;
      add("circle", { class: "node" + (ready ? " known" : "") + (row === unknown && t === state.step ? " now" : ""), cx: X(t), cy: Y[row], r: radius });
    }
  when.forEach((turn, at) => add("text", { class: "turn", x: X(at + 1), y: unknown === "z" ? Y.z - 50 : Y.noise + 56, "text-anchor": "middle" }, turn <= state.turn ? turn : "?"));
  svg.replaceChildren(...parts);
  const run = state.turn === Infinity;
  Object.assign(section.dataset, { turns: run ? total : "", order: run ? when.join(" ") : "" });
  const doing = state.task === "draw" ? "Drawing" : "Scoring", name = state.kind.toUpperCase(), what = unknown === "z" ? "vector" : "noise";
  const words = doing + " with " + name + ": " + (!run ? "in which turn can each of the " + state.length + " steps be computed? Press Run it to see" : total === 1 ? "one turn for all " + state.length + " steps, whatever the length" : total + " turns, one for each step, each waiting for the one before") + ". The " + what + " of step " + state.step + " waits for " + waitsFor(state.step).map(([row, t]) => (row === "z" ? "z" : "ε") + subscript(t)).join(", ") + ".";
  svg.setAttribute("aria-label", words);
  tell(words);
});
redraw();
opened(link());
