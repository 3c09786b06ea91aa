// Noise on the left, the curve in the middle, the density below: one picture, read across and then down.
const PARTS = [
  { name: "a", label: "shift", term: "a", least: -3, most: 3, shown: (v) => say(v) },
  { name: "beta", label: "steepness", term: "β, b = exp(0.4 β)", least: -2, most: 2, shown: (v) => say(v) },
  { name: "gamma", label: "strength of the bend", term: "γ", least: -10, most: 10, shown: (v) => say(v) },
  { name: "delta", label: "narrowness of the bend", term: "δ, d = exp(0.4 δ)", least: -3, most: 5, shown: (v) => say(v) },
  { name: "f", label: "place of the bend", term: "f", least: -4, most: 4, shown: (v) => say(v) },
  { name: "eps", label: "the noise to follow", term: "ε", least: -3, most: 3, shown: (v) => say(v) },
];
const PRESETS = {
  nothing: { a: 0, beta: 0, gamma: 0, delta: 0, f: 0 },
  two: { a: -0.7, beta: 0.4, gamma: 8, delta: 1.2, f: 0.6 },
  skewed: { a: -0.4, beta: 0, gamma: 1.6, delta: -0.6, f: 0.3 },
};
const raw = { ...PRESETS.nothing, eps: -0.6 }; // making two modes is the task
Object.assign(raw, PRESETS[askedOne("preset", "nothing", Object.keys(PRESETS))]);
for (const part of PARTS) raw[part.name] = askedNumber(part.name, raw[part.name], part.least, part.most);

const svg = find(".plot"), sliders = {};
for (const part of PARTS) {
  sliders[part.name] = slider({ ...part, step: 0.01, value: raw[part.name], onInput: (value) => { raw[part.name] = value; moved(); } });
  find(".sliders").append(sliders[part.name].row);
}
const isAt = (preset) => LAYER.every((name) => Math.abs(raw[name] - PRESETS[preset][name]) < 1e-9);
const presetNow = () => Object.keys(PRESETS).find(isAt) || "";
const markPreset = choice(find(".presets"), [["nothing", "nothing"], ["two", "two modes"], ["skewed", "skewed"]], presetNow(), (key) => {
  Object.assign(raw, PRESETS[key]);
  for (const name of LAYER) sliders[name].set(raw[name]);
  moved();
});
function moved() {
  markPreset(presetNow());
  redraw();
  remember(link());
}
const link = () => Object.fromEntries(PARTS.map((part) => [part.name, Number(raw[part.name].toFixed(2))]));

// The same shape at every size: the bell's strip on the left, the density's strip below.
const TOP = 26, REACH = 4;
let toNoise = null;
const redraw = picture(svg, (width) => (width < 480 ? 446 : 496), paint);

function paint(width, height) {
  const strip = width < 480 ? 74 : 118, foot = width < 480 ? 144 : 166;
  const left = strip + (width < 480 ? 30 : 44), right = width - 12, bottom = height - foot, base = height - 40;
  const p = bend(raw), flat = straight(p), whole = wholeDensity([p]);
  const z = inverse(p, raw.eps), slope = slopeAt(p, z);
  const wide = Math.min(20, Math.max(5, ...[-3.2, 3.2].map((e) => Math.ceil(Math.abs(inverse(p, e))))));
  const x = linear(-wide, wide, left, right), y = linear(-REACH, REACH, bottom, TOP);
  toNoise = (pixel) => ((bottom - pixel) / (bottom - TOP)) * 2 * REACH - REACH;

  const parts = [];
  const add = (tag, attributes, text) => parts.push(shape(tag, attributes, text));
  for (const at of ticks(-wide, wide, right - left)) {
    add("path", { class: at ? "grid" : "axis", d: pathOf([[x(at), TOP], [x(at), bottom]]) });
    add("text", { x: x(at), y: base + 16, "text-anchor": "middle" }, minus(at));
  }
  for (const at of ticks(-REACH, REACH, bottom - TOP)) {
    add("path", { class: at ? "grid" : "axis", d: pathOf([[left, y(at)], [right, y(at)]]) });
    if (Math.abs(at) < REACH) add("text", { x: left - 6, y: y(at) + 4, "text-anchor": "end" }, minus(at));
  }

  // The bell lies on its side: its height grows to the left.
  const edge = strip + 4, tall = linear(0, 0.42, edge, 8), noises = Array.from({ length: 121 }, (_, at) => -REACH + (at * 2 * REACH) / 120);
  const side = noises.map((e) => [tall(bell(e)), y(e)]);
  add("path", { class: "filled", d: pathOf([[edge, y(-REACH)], ...side, [edge, y(REACH)]]) + "Z" });
  add("path", { class: "curve", d: pathOf(side) });
  add("path", { class: "axis", d: pathOf([[edge, TOP], [edge, bottom]]) });

  // The curve, cut off where it leaves the frame.
  const inside = (map) => Array.from({ length: 401 }, (_, at) => -wide + (at * 2 * wide) / 400)
    .map((u) => [u, image(map, u)]).filter(([, e]) => Math.abs(e) <= REACH).map(([u, e]) => [x(u), y(e)]);
  add("path", { class: "dashed", d: pathOf(inside(flat)) });
  add("path", { class: "curve", d: pathOf(inside(p)) });

  // The density hangs below on the same z.
  const bent = densityOn([p], -wide, wide, 501), affine = densityOn([flat], -wide, wide, 501);
  const top = Math.max(0.42, ...bent.heights, ...affine.heights), up = linear(0, top, base, bottom + 26);
  const curve = (density) => density.zs.map((u, at) => [x(u), up(density.heights[at])]);
  add("path", { class: "filled", d: pathOf([[x(-wide), base], ...curve(bent), [x(wide), base]]) + "Z" });
  add("path", { class: "dashed", d: pathOf(curve(affine)) });
  add("path", { class: "curve", d: pathOf(curve(bent)) });
  add("path", { class: "axis", d: pathOf([[left, base], [right, base]]) });

  // The way of one number: across, then down; the piece of tangent is the slope there.
  const turn = [x(z), y(raw.eps)], slant = [(right - left) / (2 * wide), (-slope * (bottom - TOP)) / (2 * REACH)];
  const unit = 26 / Math.hypot(...slant);
  add("path", { class: "route", d: pathOf([[edge, turn[1]], turn, [turn[0], base]]) });
  add("path", { class: "tangent", d: pathOf([[turn[0] - slant[0] * unit, turn[1] - slant[1] * unit], [turn[0] + slant[0] * unit, turn[1] + slant[1] * unit]]) });
  add("circle", { class: "point", cx: turn[0], cy: up(densityAt([p], z)), r: 5 });
  add("circle", { class: "point", cx: turn[0], cy: turn[1], r: 5 });
  add("circle", { class: "point", cx: edge, cy: turn[1], r: 9 });

  add("text", { class: "name", x: 8, y: 16 }, width < 480 ? "noise ε" : "the noise ε: N(0, 1)");
  add("text", { class: "name", x: left + 4, y: 16 }, "the curve ε = g(z)");
  add("text", { class: "name", x: left + 4, y: bottom + 18 }, "the density p(z)");
  add("text", { class: "name", x: right, y: height - 6, "text-anchor": "end" }, "z, a number without a unit");
  for (const at of [0, 0.2, 0.4]) add("text", { x: tall(at), y: bottom + 16, "text-anchor": "middle" }, at);
  add("text", { class: "name", x: 8, y: bottom + 34 }, width < 480 ? "N(ε)" : "its density N(ε)");
  for (const at of ticks(0, top, base - bottom - 26, 0.1)) add("text", { x: left - 6, y: up(at) + 4, "text-anchor": "end" }, at);
  add("rect", { class: "handle", x: 0, y: TOP, width: left, height: bottom - TOP });
  svg.replaceChildren(...parts);

  const modes = modesOf(whole.heights), affineModes = modesOf(wholeDensity([flat]).heights);
  Object.assign(section.dataset, { raw: JSON.stringify(LAYER.map((name) => raw[name])), eps: raw.eps, z, slope, modes, affineModes, area: areaOf(whole) });
  const words = capital(modeWords(modes)) + " with the bend; the dashed one has " + modeWords(affineModes) + ". The noise ε = " + say(raw.eps) +
    " becomes z = " + say(z) + ". There the slope is " + say(slope) + ", so the density is " + say(slope) + " × " + say(bell(raw.eps), 3) +
    " ≈ " + say(densityAt([p], z), 3) + ".";
  svg.setAttribute("aria-label", "A bell curve of noise on the left, the curve that bends it in the middle, the density it becomes below. " + words);
  tell(words);
}

svg.addEventListener("pointerdown", (event) => {
  if (!event.target.classList.contains("handle")) return;
  event.preventDefault();
  svg.setPointerCapture(event.pointerId);
  drag(event);
  svg.addEventListener("pointermove", drag);
});
for (const name of ["pointerup", "pointercancel"]) svg.addEventListener(name, () => svg.removeEventListener("pointermove", drag));
function drag(event) {
  const noise = toNoise(event.clientY - svg.getBoundingClientRect().top);
  raw.eps = Math.round(Math.min(3, Math.max(-3, noise)) * 100) / 100;
  sliders.eps.set(raw.eps);
  moved();
}
redraw();
opened(link());
