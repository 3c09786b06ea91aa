// Two rows of buttons over a picture of arrows: what is pressed, and all it depends on.
const WORD = "chords", T = WORD.length;
const ROWS = ["x", "z"];
const nameOf = (row, t) => row + subscript(t);
const wanted = askedFor("press", "x3", (text) => (/^[xz][1-6]$/.test(text) ? text : undefined), "x or z and a step from 1 to 6, such as x3");
let pressed = { row: wanted[0], t: Number(wanted[1]) };

// What the model says: a symbol sees every vector (through the decoder), a vector those before it, and nothing else.
const dependsOn = ({ row, t }) => Array.from({ length: row === "x" ? T : t - 1 }, (_, at) => at + 1);

const svg = find(".plot"), nodes = {};
for (const row of ROWS)
  for (let t = 1; t <= T; t++) {
    const node = Object.assign(make("button", "node " + (row === "z" ? "vector" : "symbol"), row === "z" ? nameOf(row, t) : WORD[t - 1]), { type: "button" });
    node.setAttribute("aria-label", row === "z" ? "vector z " + t : "symbol x " + t + ", the letter " + WORD[t - 1]);
    node.dataset.name = row + t;
    node.addEventListener("click", () => press(row, t));
    node.addEventListener("keydown", (event) => {
      const to = { ArrowLeft: [row, t - 1], ArrowRight: [row, t + 1], ArrowUp: ["x", t], ArrowDown: ["z", t], Home: [row, 1], End: [row, T] }[event.key];
      if (!to) return;
      event.preventDefault();
      press(to[0], Math.min(T, Math.max(1, to[1])));
      nodes[pressed.row + pressed.t].focus();
    });
    nodes[row + t] = node;
    find(".nodes").append(node);
  }
function press(row, t) {
  pressed = { row, t };
  redraw();
  remember(link());
}

const link = () => ({ press: pressed.row + pressed.t });

const listed = (row, steps) => steps.map((t) => nameOf(row, t)).join(", ");
const range = (from, to) => Array.from({ length: Math.max(0, to - from + 1) }, (_, at) => from + at);
function wordsFor({ row, t }) {
  if (row === "x")
    return "The letter “" + WORD[t - 1] + "” (" + nameOf("x", t) + ") depends on all " + NUMBERS[T] + " vectors, most directly on " + nameOf("z", t) +
      "; all of them reach it through the decoder. It sees no other symbol: of " + listed("x", range(1, T).filter((at) => at !== t)) + " none.";
  const later = listed("z", range(t + 1, T));
  return (t === 1 ? "The vector z₁ comes first: it depends on no other vector, only on its own noise." :
    "The vector " + nameOf("z", t) + " depends on " + (t === 2 ? "the one before it, z₁" : "all those before it, " + listed("z", range(1, t - 1))) + ", and on its own noise. It sees no symbol.") +
    (later ? " In turn " + later + " and every symbol depend on it." : " It is the last; every symbol depends on it.");
}

const redraw = picture(svg, () => 330, (width) => {
  const parts = [], add = (tag, attributes, text) => parts.push(shape(tag, attributes, text));
  const narrow = width < 480, left = narrow ? 4 : 120, half = narrow ? 19 : 22, gap = (width - left - 8) / T;
  const X = (t) => left + gap * (t - 0.5), Y = { x: 62, z: 218 }, middle = (Y.x + Y.z) / 2;
  const needed = dependsOn(pressed), at = X(pressed.t);
  add("rect", { class: "decoder", x: left + 4, y: middle - 17, width: width - left - 12, height: 34, rx: 8 });
  const arrow = (d, tip, angle, direct) => {
    add("path", { class: "arrow" + (direct ? " direct" : ""), d });
    add("path", { class: "head", d: "M0 0L-9 -4.5L-9 4.5Z", transform: "translate(" + tip.map((v) => v.toFixed(1)).join(" ") + ") rotate(" + angle + ")" });
  };
  for (const t of needed) {
    const from = X(t), direct = t === pressed.t;
    if (pressed.row === "x") {
      add("path", { class: "arrow" + (direct ? " direct" : ""), d: pathOf([[from, Y.z - half], [from + (at - from) * 0.12, middle + 17]]) });
      if (direct) arrow(pathOf([[at, middle - 17], [at, Y.x + half + 8]]), [at, Y.x + half + 2], -90, true);
      else add("path", { class: "arrow", d: "M" + [from + (at - from) * 0.12, middle + 17].join(" ") + "L" + [at, middle - 17].join(" ") });
    } else {
      const deep = 26 + 11 * (pressed.t - t), land = at - Math.min(14, 3.5 * (pressed.t - t)) + 3;
      arrow("M" + [from, Y.z + half] + "C" + [from, Y.z + half + deep, land, Y.z + half + deep, land, Y.z + half + 8].join(" "), [land, Y.z + half + 1], -90, false);
    }
  }
  if (narrow) {
    add("text", { class: "name", x: 8, y: 22 }, "symbols x");
    add("text", { class: "name", x: 8, y: 322 }, "vectors z");
    add("text", { x: width - 14, y: 22, "text-anchor": "end" }, "box: the decoder");
  } else {
    add("text", { class: "name", x: 12, y: Y.x + 5 }, "symbols x");
    add("text", { class: "name", x: 12, y: middle + 5 }, "decoder");
    add("text", { class: "name", x: 12, y: Y.z + 5 }, "vectors z");
    add("text", { x: 12, y: Y.z + 23 }, "first to last →");
  }
  svg.replaceChildren(...parts);
  for (const row of ROWS)
    for (let t = 1; t <= T; t++) {
      const node = nodes[row + t], isPressed = row === pressed.row && t === pressed.t;
      node.style.left = X(t) + "px";
      node.style.top = Y[row] + "px";
      node.classList.toggle("needed", row === "z" && needed.includes(t) && !isPressed);
      node.setAttribute("aria-pressed", String(isPressed));
      node.tabIndex = isPressed ? 0 : -1;
    }
  section.dataset.needed = needed.map((t) => "z" + t).join(" ");
  const words = wordsFor(pressed);
  svg.setAttribute("aria-label", "Six vectors below, the decoder above them, six symbols at the top. " + words);
  tell(words);
});
redraw();
opened(link());
