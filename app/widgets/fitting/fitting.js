// A density on 121 places is drawn; 400 numbers that follow it are made; a stack learns them by Adam, with gradients by hand.
const WIDE = 4, PLACES = 121, DRAWS = 400, MOST = 5, STEPS = 2000, EACH_FRAME = 8;
const placeAt = (at) => -WIDE + (2 * WIDE * at) / (PLACES - 1), GAP = (2 * WIDE) / (PLACES - 1);
const hill = (centre, spread, weight) => (z) => (weight / spread) * Math.exp(-0.5 * ((z - centre) / spread) ** 2);
const SHAPES = {
  two: ["two humps", [hill(-1.4, 0.5, 1), hill(1.3, 0.7, 1)]],
  three: ["three humps", [hill(-2.2, 0.45, 1), hill(0, 0.4, 1), hill(2, 0.55, 1.2)]],
  box: ["a box", [(z) => (Math.abs(z) < 1.8 ? 1 : 0)]],
};

// The mean log-likelihood of numbers under layers (raw, in the order from z to noise), and its gradient.
function logLikelihood(layers, numbers) {
  const bends = layers.map(bend), gradient = layers.map(() => ({ a: 0, beta: 0, gamma: 0, delta: 0, f: 0 }));
  const inputs = new Float64Array(layers.length);
  let total = 0;
  for (const number of numbers) {
    let u = number;
    bends.forEach((p, at) => { inputs[at] = u; total += Math.log(slopeAt(p, u)); u = image(p, u); });
    total += Math.log(bell(u));
    let back = -u; // the derivative of everything behind by what goes into it
    for (let at = layers.length - 1; at >= 0; at--) {
      const p = bends[at], into = inputs[at], v = p.d * into + p.f, r = 1 / (1 + v * v), relative = 1 - 2 * p.k * v * r * r, level = Math.tanh(0.3 * layers[at].gamma);
      const byV = (-2 * p.k * r * r * (1 - 4 * v * v * r)) / relative, bump = -2 * p.c * v * r * r, g = gradient[at];
      g.a += back;
      g.beta += 0.4 * (1 + back * (p.b * into + p.c * r));
      g.gamma += 0.3 * BUMP_BOUND * (1 - level * level) * ((back * p.b * r) / p.d - (2 * v * r * r) / relative);
      g.delta += 0.4 * (back * (bump * p.d * into - p.c * r) + byV * p.d * into);
      g.f += back * bump + byV;
      back = back * p.b * relative + p.d * byV;
    }
  }
  for (const g of gradient) for (const name of LAYER) g[name] /= numbers.length;
  return { value: total / numbers.length, gradient };
}
section.logLikelihood = logLikelihood; // a test compares it with automatic differentiation

// What is drawn -------------------------------------------------------------------------------------------------------

const state = { shape: askedOne("shape", "two", Object.keys(SHAPES)), layers: askedWhole("layers", 3, 1, MOST), start: askedWhole("start", 1, 1, 9999) };
let heights = [], numbers = [], best = 0, mean = 0, spread = 1, layers = [], adam = null, value = 0, climb = [], running = false;

function take(shape) {
  state.shape = shape;
  heights = Array.from({ length: PLACES }, (_, at) => SHAPES[shape][1].reduce((sum, part) => sum + part(placeAt(at)), 0));
  settle();
}
// Gives the density area 1 and makes the numbers: one from the middle of each 400th of its weight.
function settle() {
  const area = heights.reduce((sum, height) => sum + height, 0) * GAP;
  heights = heights.map((height) => height / area);
  numbers = [];
  let sum = 0, at = 0;
  for (let draw = 0; draw < DRAWS; draw++) {
    const aim = (draw + 0.5) / DRAWS;
    while (at < PLACES - 1 && sum + heights[at] * GAP < aim) sum += heights[at++] * GAP;
    numbers.push(placeAt(at) + GAP * ((aim - sum) / (heights[at] * GAP || 1) - 0.5));
  }
  best = heights.reduce((total, height) => total + (height > 0 ? height * Math.log(height) * GAP : 0), 0);
  mean = numbers.reduce((total, number) => total + number, 0) / DRAWS;
  spread = Math.sqrt(numbers.reduce((total, number) => total + (number - mean) ** 2, 0) / DRAWS);
  begin();
}

// A drawn density in the address: its height at every third place, in 36 levels, as figures and letters.
const LEVELS = 35, EVERY = 3;
function written() {
  const kept = heights.filter((_, at) => at % EVERY === 0), most = Math.max(...kept);
  return kept.map((height) => Math.round((LEVELS * height) / most).toString(36)).join("");
}
function read(text) {
  const marks = [...text].map((letter) => parseInt(letter, 36));
  heights = Array.from({ length: PLACES }, (_, at) => {
    const low = Math.floor(at / EVERY), part = (at % EVERY) / EVERY;
    return (1 - part) * marks[low] + part * marks[Math.min(low + 1, marks.length - 1)];
  });
  state.shape = "";
  settle();
}
const isWritten = (text) => Boolean(text) && new RegExp("^[0-9a-z]{" + (1 + (PLACES - 1) / EVERY) + "}$").test(text) && /[1-9a-z]/.test(text);

// Fitting -------------------------------------------------------------------------------------------------------------

function begin() {
  const random = generator(state.start * 31 + state.layers);
  layers = Array.from({ length: state.layers }, (_, at) => {
    const raw = { a: 0, beta: 0, gamma: 3 + 2 * random(), delta: 1 + random(), f: 0 };
    if (random() < 0.5) raw.gamma = -raw.gamma;
    const p = bend(raw), place = ((at + 0.3 + 0.4 * random()) / state.layers) * 2.4 - 1.2;
    raw.f = -p.d * place;
    raw.a = -p.c / (1 + raw.f * raw.f);
    return raw;
  });
  // The first layer brings the numbers to about the size of the noise.
  const first = layers[0];
  first.beta = -Math.log(spread) / 0.4;
  first.delta -= Math.log(spread) / 0.4;
  first.f -= Math.exp(0.4 * first.delta) * mean;
  first.a -= mean / spread;
  adam = { step: 0, first: layers.map(() => ({})), second: layers.map(() => ({})) };
  value = logLikelihood(layers, numbers).value;
  climb = [value];
}
function learn() {
  const { gradient } = logLikelihood(layers, numbers);
  adam.step += 1;
  const rate = 0.06 * Math.max(0.05, 1 - adam.step / STEPS), late = Math.sqrt(1 - 0.999 ** adam.step) / (1 - 0.9 ** adam.step);
  layers.forEach((raw, at) => {
    for (const name of LAYER) {
      const g = gradient[at][name], m = (adam.first[at][name] = 0.9 * (adam.first[at][name] || 0) + 0.1 * g);
      const s = (adam.second[at][name] = 0.999 * (adam.second[at][name] || 0) + 0.001 * g * g);
      raw[name] = Math.min(12, Math.max(-12, raw[name] + (rate * late * m) / (Math.sqrt(s) + 1e-8)));
    }
  });
}
// Told by the browser: to ask in every frame, after the one before was drawn, lays the whole page out once more.
let inSight = true;
new IntersectionObserver((seen) => { inSight = seen[seen.length - 1].isIntersecting; }).observe(section);
function turn() {
  if (!running) return;
  if (inSight) {
    for (let at = 0; at < EACH_FRAME && adam.step < STEPS; at++) learn();
    value = logLikelihood(layers, numbers).value;
    climb.push(value);
    if (adam.step >= STEPS) running = false;
    redraw();
  }
  if (running) requestAnimationFrame(turn);
}
function run(on) {
  if (on && adam.step >= STEPS) begin();
  const idle = !running;
  running = on;
  if (on && idle) requestAnimationFrame(turn);
  redraw();
}
const link = () => ({ ...(state.shape ? { shape: state.shape } : { drawn: written() }), layers: state.layers, ...(state.start > 1 ? { start: state.start } : {}) });
const changed = () => remember(link());

// The picture ---------------------------------------------------------------------------------------------------------

const svg = find(".plot"), small = find(".climb");
const FRAME = { left: 38, right: 12, above: 26, below: 42 };
let ceiling = 1;
const redraw = picture(svg, (width) => (width < 480 ? 260 : 330), (width, height) => {
  const parts = [], add = (tag, attributes, text) => parts.push(shape(tag, attributes, text)), room = small.clientWidth || 260; // asked before anything changes
  const base = height - FRAME.below, x = linear(-WIDE, WIDE, FRAME.left, width - FRAME.right);
  const stack = layers.map(bend).reverse(), fit = densityOn(stack, -WIDE, WIDE, 401);
  if (!drawing) ceiling = Math.max(0.45, 1.35 * Math.max(...heights), 1.05 * Math.max(...fit.heights));
  const y = linear(0, ceiling, base, FRAME.above);
  for (const at of ticks(-WIDE, WIDE, width)) add("text", { x: x(at), y: base + 16, "text-anchor": "middle" }, minus(at));
  for (const at of ticks(0, ceiling, base - FRAME.above, 0.1)) add("text", { x: FRAME.left - 8, y: y(at) + 4, "text-anchor": "end" }, at);
  add("text", { class: "name", x: 8, y: 16 }, "density p(z)");
  add("text", { class: "name", x: width - FRAME.right, y: height - 8, "text-anchor": "end" }, "z, a number without a unit");
  add("path", { class: "filled", d: pathOf([[x(-WIDE), base], ...heights.map((h, at) => [x(placeAt(at)), y(h)]), [x(WIDE), base]]) + "Z" });
  if (!drawing) {
    add("path", { class: "dashed", d: pathOf(fit.zs.map((z) => [x(z), y(bell((z - mean) / spread) / spread)])) });
    add("path", { class: "curve", d: pathOf(fit.zs.map((z, at) => [x(z), y(fit.heights[at])])) });
  }
  add("path", { class: "axis", d: pathOf([[x(-WIDE), base], [x(WIDE), base]]) });
  svg.replaceChildren(...parts);

  const affine = -Math.log(spread) - 0.5 * Math.log(2 * Math.PI) - 0.5, whole = wholeDensity(stack), modes = modesOf(whole.heights);
  drawClimb(affine, room);
  find(".run").textContent = running ? "Stop" : adam.step && adam.step < STEPS ? "Go on" : "Fit it";
  Object.assign(section.dataset, { step: adam.step, value, best, affine, modes, area: areaOf(whole), running });
  const share = Math.max(0, Math.min(100, (100 * (value - affine)) / Math.max(1e-9, best - affine)));
  const words = (adam.step ? "After " + adam.step.toLocaleString("en") + " steps" : "Before the first step") + " the stack has " + modeWords(modes) + " and a log-likelihood of " + say(value) +
    " nats a number; the best affine stack reaches " + say(affine) + ", the best possible is about " + say(best) + ". " +
    (value > affine ? "The bends have closed " + Math.round(share) + "% of that gap." : "So far it is worse than the affine one.") + (adam.step ? "" : " Press Fit it.");
  svg.setAttribute("aria-label", "The density to fit is filled, the fitted one is a line. " + words);
  tell(words);
});
function drawClimb(affine, width) {
  const height = 170, span = Math.max(0.02, best - affine);
  const low = Math.min(affine - 1.2 * span, ...climb), high = Math.max(best, ...climb) + 0.4 * (best - low);
  const left = 40, right = width - 10, base = height - 40, x = linear(0, STEPS, left, right), y = linear(low, high, base, 24);
  small.setAttribute("viewBox", "0 0 " + width + " " + height);
  small.replaceChildren(
    shape("path", { class: "axis", d: pathOf([[left, 24], [left, base], [right, base]]) }),
    ...ticks(low, high, base - 24, 0.1).map((at) => shape("text", { x: left - 5, y: y(at) + 4, "text-anchor": "end" }, minus(at))),
    ...[0, STEPS / 2, STEPS].map((at) => shape("text", { x: x(at), y: base + 15, "text-anchor": at === STEPS ? "end" : "middle" }, at.toLocaleString("en"))),
    shape("path", { class: "limit", d: pathOf([[left, y(best)], [right, y(best)]]) }),
    shape("path", { class: "dashed", d: pathOf([[left, y(affine)], [right, y(affine)]]) }),
    shape("path", { class: "curve", d: pathOf(climb.map((at, turn) => [x(turn * EACH_FRAME), y(at)])) }),
    shape("text", { x: right, y: y(best) - 5, "text-anchor": "end" }, "best possible " + say(best)),
    shape("text", { x: right, y: y(affine) + 15, "text-anchor": "end" }, "affine " + say(affine)),
    shape("text", { class: "name", x: 6, y: 15 }, "log-likelihood, nats a number"),
    shape("text", { class: "name", x: right, y: height - 8, "text-anchor": "end" }, "steps of fitting"),
  );
  small.setAttribute("aria-label", "Log-likelihood from " + say(climb[0]) + " to " + say(value) + " in " + adam.step + " steps; affine " + say(affine) + ", most possible " + say(best));
}

// Hands ---------------------------------------------------------------------------------------------------------------

let drawing = null;
function stroke(event) {
  const box = svg.getBoundingClientRect(), px = event.clientX - box.left, py = event.clientY - box.top;
  const place = Math.round((((px - FRAME.left) / (box.width - FRAME.left - FRAME.right)) * (PLACES - 1))), height = Math.max(0, ((box.height - FRAME.below - py) / (box.height - FRAME.above - FRAME.below)) * ceiling);
  const to = { at: Math.min(PLACES - 1, Math.max(0, place)), height: Math.min(ceiling, height) }, from = drawing.last || to;
  const count = Math.max(1, Math.abs(to.at - from.at));
  for (let step = 0; step <= count; step++) {
    const share = step / count;
    heights[Math.round(from.at + (to.at - from.at) * share)] = from.height + (to.height - from.height) * share;
  }
  drawing.last = to;
  redraw();
}
svg.addEventListener("pointerdown", (event) => {
  event.preventDefault();
  svg.setPointerCapture(event.pointerId);
  running = false;
  drawing = { last: null };
  stroke(event);
});
svg.addEventListener("pointermove", (event) => { if (drawing) stroke(event); });
for (const name of ["pointerup", "pointercancel"])
  svg.addEventListener(name, () => {
    if (!drawing) return;
    drawing = null;
    if (heights.reduce((sum, height) => sum + height, 0) * GAP < 0.05 || !isWritten(written())) take("two"); // nothing is left to fit
    else read(written()); // what is fitted is what the address says
    markShape(state.shape);
    changed();
    run(true);
  });
const markShape = choice(find(".shapes"), Object.entries(SHAPES).map(([key, [words]]) => [key, words]), state.shape, (key) => { take(key); changed(); run(true); });
const amount = slider({ name: "layers", label: "layers", term: "L", least: 1, most: MOST, step: 1, value: state.layers, shown: String, onInput: (next) => { state.layers = next; begin(); changed(); run(true); } });
find(".sliders").append(amount.row);
find(".run").addEventListener("click", () => run(!running));
find(".again").addEventListener("click", () => { state.start += 1; begin(); changed(); run(true); });
const drawn = askedFor("drawn", "", (text) => (isWritten(text) ? text : undefined), "the heights of a drawing as this lesson writes them");
if (drawn) { read(drawn); markShape(""); } else take(state.shape);
redraw();
opened(link());
