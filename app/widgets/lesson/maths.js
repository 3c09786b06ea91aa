// NLSq exactly as the models use it (lnf_core.transforms.nlsq): raw parameters as the nets emit them.
const BUMP_BOUND = (8 * Math.sqrt(3)) / 9 - 0.05;
const LAYER = ["a", "beta", "gamma", "delta", "f"];

function bend(raw) {
  const b = Math.exp(0.4 * raw.beta), d = Math.exp(0.4 * raw.delta), k = Math.tanh(0.3 * raw.gamma) * BUMP_BOUND;
  return { a: raw.a, b, c: (k * b) / d, d, f: raw.f, k };
}
// The same without its bend: an affine map.
const straight = (p) => ({ ...p, c: 0, k: 0 });
function image(p, u) {
  const v = p.d * u + p.f;
  return p.a + p.b * u + p.c / (1 + v * v);
}
function slopeAt(p, u) {
  const v = p.d * u + p.f, r = 1 / (1 + v * v);
  return p.b * (1 - 2 * p.k * v * r * r);
}
// The one u with image(p, u) = e: Newton inside a bracket that always holds it, halved where Newton would leave it.
function inverse(p, e) {
  let low = (e - p.a - Math.abs(p.c)) / p.b, high = (e - p.a + Math.abs(p.c)) / p.b, u = (low + high) / 2;
  for (let turn = 0; turn < 80 && high - low > 1e-14 * (1 + Math.abs(u)); turn++) {
    const off = image(p, u) - e;
    if (off === 0) break;
    if (off > 0) high = u; else low = u;
    const next = u - off / slopeAt(p, u);
    if (next === u) break;
    u = next > low && next < high ? next : (low + high) / 2;
  }
  return u;
}
const bell = (e) => Math.exp(-0.5 * e * e) / Math.sqrt(2 * Math.PI);

// A stack is a list of bends in the order of sampling: from the noise outwards.
const outwards = (stack, e) => stack.reduce((value, p) => inverse(p, value), e);
function densityAt(stack, z) {
  let value = z, stretch = 1;
  for (let at = stack.length - 1; at >= 0; at--) {
    stretch *= slopeAt(stack[at], value);
    value = image(stack[at], value);
  }
  return bell(value) * stretch;
}
function densityOn(stack, low, high, count) {
  const zs = Array.from({ length: count }, (_, at) => low + ((high - low) * at) / (count - 1));
  return { zs, heights: zs.map((z) => densityAt(stack, z)) };
}
function areaOf({ zs, heights }) {
  let sum = 0;
  for (let at = 1; at < zs.length; at++) sum += ((heights[at] + heights[at - 1]) / 2) * (zs[at] - zs[at - 1]);
  return sum;
}
// Peaks that stand at least a hundredth of the highest one above the valleys beside them.
function modesOf(heights) {
  const least = Math.max(...heights) / 100;
  let count = 0, rising = true, turn = 0;
  for (const height of heights) {
    if (rising ? height > turn : height < turn) turn = height;
    else if (rising && height < turn - least) { count++; rising = false; turn = height; }
    else if (!rising && height > turn + least) { rising = true; turn = height; }
  }
  return count + (rising ? 1 : 0);
}
// The density over all of its weight: the noise from -5.5 to 5.5.
const wholeDensity = (stack, count = 2001) => densityOn(stack, outwards(stack, -5.5), outwards(stack, 5.5), count);

// A seeded generator (mulberry32): the same bends for everyone who opens the same link.
function generator(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
