// The same seed gives everybody the same bends; a layer keeps its bend when another is added.
const MOST = 5;
let layers = askedWhole("layers", 3, 1, MOST), seed = askedWhole("seed", 5, 0, 9999);
const svg = find(".plot");

function stackOf(count) {
  const random = generator(seed), list = [];
  for (let at = 0; at < MOST; at++) {
    const raw = { a: 0, beta: -0.2 + 0.5 * random(), gamma: (random() < 0.5 ? -1 : 1) * (5 + 5 * random()), delta: 1 + 2 * random(), f: 0 };
    const p = bend(raw);
    p.f = -p.d * (2.4 * random() - 1.2); // the bend lies where there is weight
    p.a = -image({ ...p, a: 0 }, 0); // and 0 stays where it is
    list.push(p);
  }
  return list.slice(0, count);
}

const amount = slider({ name: "layers", label: "layers", term: "L", least: 1, most: MOST, step: 1, value: layers, shown: String, onInput: (value) => { layers = value; moved(); } });
find(".sliders").append(amount.row);
find(".fresh").addEventListener("click", () => { seed = (seed * 7 + 11) % 9973; moved(); });
function moved() { redraw(); remember({ layers, seed }); }

// As high as the style sheet keeps for it, however few rows it has.
const rowHeight = () => Math.max(74, 216 / (layers + 1));
const redraw = picture(svg, () => 84 + rowHeight() * (layers + 1), (width, height) => {
  const left = 96, right = width - 14, row = rowHeight(), parts = [], counts = [], flats = [];
  const all = stackOf(layers), wide = Math.min(14, Math.max(4, ...[-3.4, 3.4].map((e) => Math.abs(outwards(all, e)))));
  const x = linear(-wide, wide, left, right);
  const add = (tag, attributes, text) => parts.push(shape(tag, attributes, text));
  for (let depth = 0; depth <= layers; depth++) {
    const stack = all.slice(0, depth), flat = stack.map(straight), base = 28 + row * (depth + 1) - 12;
    const bent = densityOn(stack, -wide, wide, 601), affine = densityOn(flat, -wide, wide, 601), top = Math.max(...bent.heights, ...affine.heights);
    const y = linear(0, top, base, base - row + 20);
    const curve = (density) => density.zs.map((u, at) => [x(u), y(density.heights[at])]);
    add("path", { class: "axis", d: pathOf([[left, base], [right, base]]) });
    add("path", { class: "filled", d: pathOf([[left, base], ...curve(bent), [right, base]]) + "Z" });
    if (depth) add("path", { class: "dashed", d: pathOf(curve(affine)) });
    add("path", { class: "curve", d: pathOf(curve(bent)) });
    counts.push(modesOf(wholeDensity(stack).heights));
    flats.push(modesOf(wholeDensity(flat).heights));
    add("text", { class: "name", x: 8, y: base - 26 }, depth ? "layer " + depth : "noise");
    add("text", { x: 8, y: base - 8 }, modeWords(counts[depth]));
  }
  for (const at of ticks(-wide, wide, right - left)) add("text", { x: x(at), y: height - 30, "text-anchor": "middle" }, minus(at));
  add("text", { class: "name", x: right, y: height - 10, "text-anchor": "end" }, width < 480 ? "ε, then z (no unit)" : "ε, after the layers z, numbers without a unit");
  add("text", { class: "name", x: 8, y: 16 }, width < 480 ? "density, each row to its own scale" : "density, each row to its own scale (the area is always 1)");
  svg.replaceChildren(...parts);
  Object.assign(section.dataset, { modes: counts.join(" "), affineModes: flats.join(" ") });
  const words = "From the top: the noise, then the density after " + (layers === 1 ? "one layer" : "each of " + layers + " layers") + ". Modes: " + counts.join(", ") + "; without bends: " + flats.join(", ") + ".";
  svg.setAttribute("aria-label", words);
  tell(words);
});
redraw();
opened({ layers, seed });
