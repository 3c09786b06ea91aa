// What all lessons share: words, sliders, pictures, and the address that restores what is shown.
const section = find(".lesson");
const minus = (text) => String(text).replace("-", "−");
const say = (value, digits = 2) => minus((Math.abs(value) < 0.5 / 10 ** digits ? 0 : value).toFixed(digits));
const NUMBERS = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"];
const modeWords = (count) => (NUMBERS[count] || count) + (count === 1 ? " mode" : " modes");
const subscript = (number) => String(number).replace(/\d/g, (digit) => "₀₁₂₃₄₅₆₇₈₉"[digit]);
const capital = (text) => text[0].toUpperCase() + text.slice(1);

find(".title").prepend(props.number + ". "); // by its place in the row

// The address ---------------------------------------------------------------------------------------------------------

const asked = (() => {
  const query = new URLSearchParams(location.search);
  return query.get("tab") === "learn" && (query.get("lesson") || "1") === String(props.number) ? query : new URLSearchParams();
})();
// What it cannot have is said above the lesson, which then begins as without it.
const refused = [];
function askedFor(name, otherwise, read, wanted) {
  const text = asked.get(name), value = text ? read(text) : undefined;
  if (text && value === undefined) refused.push(linkSays(name, text, "give " + wanted));
  return value === undefined ? otherwise : value;
}
const within = (text, least, most) => (text.trim() && text >= least && text <= most ? Number(text) : undefined);
const askedNumber = (name, otherwise, least, most) => askedFor(name, otherwise, (text) => within(text, least, most), "a number from " + minus(least) + " to " + most);
const askedWhole = (name, otherwise, least, most) => askedFor(name, otherwise, (text) => (Number.isInteger(Number(text)) ? within(text, least, most) : undefined), "a whole number from " + least + " to " + most);
const askedOne = (name, otherwise, keys) => askedFor(name, otherwise, (text) => (keys.includes(text) ? text : undefined), keys.slice(0, -1).join(", ") + " or " + keys[keys.length - 1]);
// The row of buttons puts these values into the address while this lesson is the one that is shown.
function remember(values) {
  section.dataset.link = new URLSearchParams(values).toString();
  section.dataset.problem = refused.splice(0).join(" "); // until something else is set
  document.dispatchEvent(new CustomEvent("lnf-lesson-moved", { detail: props.number }));
}
// Every lesson says so once it has read its link: settings it was opened with stay in the address, a bare one stays bare.
function opened(values) {
  remember([...asked.keys()].some((name) => !["tab", "lesson", "__theme"].includes(name)) ? values : {});
}

// Answers at once, but once a frame; what is read aloud waits until the hand rests.
function onceAFrame(callback) {
  let due = 0;
  return () => { due = due || requestAnimationFrame(() => { due = 0; callback(); }); };
}
let speaking = 0;
function tell(words) {
  find(".seen").textContent = words;
  clearTimeout(speaking);
  speaking = setTimeout(() => { if (find(".heard").textContent !== words) find(".heard").textContent = words; }, 500);
}

// Sliders -------------------------------------------------------------------------------------------------------------

function slider({ name, label, term, least, most, step, value, shown, onInput }) {
  const row = make("label", "slide"), head = make("span", "slide-head");
  const input = Object.assign(make("input"), { type: "range", min: least, max: most, step, value, name });
  const words = make("span", "slide-words", label + " "), number = make("span", "slide-number");
  if (term) words.append(make("span", "term", term));
  input.setAttribute("aria-label", words.textContent.trim()); // without the number, which is its value
  head.append(words, number);
  row.append(head, input);
  const show = () => {
    number.textContent = shown(Number(input.value));
    input.setAttribute("aria-valuetext", number.textContent);
  };
  input.addEventListener("input", () => { show(); onInput(Number(input.value)); });
  show();
  const limit = (next) => { input.max = next; show(); }; // a value above it becomes it
  return { row, set(next) { input.value = next; show(); }, get: () => Number(input.value), limit };
}
// One of a few: buttons of which one is pressed.
function choice(holder, options, chosen, onChoose) {
  const buttons = options.map(([key, words]) => {
    const button = Object.assign(make("button", "button choice", words), { type: "button" });
    button.dataset.key = key;
    button.addEventListener("click", () => { mark(key); onChoose(key); });
    holder.append(button);
    return button;
  });
  const mark = (key) => buttons.forEach((button) => button.setAttribute("aria-pressed", String(button.dataset.key === key)));
  mark(chosen);
  return mark;
}

// What is pressed keeps the focus while it waits: a disabled button would lose it.
const rest = (button, on) => button.setAttribute("aria-disabled", String(on));
const rests = (button) => button.getAttribute("aria-disabled") === "true";

// Pictures: SVG drawn in the pixels of the page, coloured by classes, so that a change of scheme needs no script. -------

function shape(tag, attributes, text) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes || {})) node.setAttribute(name, value);
  if (text !== undefined) node.textContent = text;
  return node;
}
const pathOf = (points) => points.map(([x, y], at) => (at ? "L" : "M") + x.toFixed(1) + " " + y.toFixed(1)).join("");
const linear = (low, high, from, to) => (value) => from + ((value - low) / (high - low)) * (to - from);
// Round numbers from low to high, at least 34 pixels and “least” apart.
function ticks(low, high, pixels, least = 1) {
  const steps = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50].filter((size) => size >= least);
  const step = steps.find((size) => (pixels / (high - low)) * size >= 34) || 100, found = [];
  for (let at = Math.ceil(low / step); at * step <= high + 1e-9; at++) found.push(Number((at * step).toFixed(1)));
  return found;
}
// Calls paint(svg, width) now, when the width changes and when the lesson comes into sight.
function picture(svg, heightFor, paint) {
  const again = () => {
    const width = Math.round(svg.parentElement.clientWidth);
    if (!width) return;
    const height = heightFor(width);
    svg.setAttribute("viewBox", "0 0 " + width + " " + height);
    svg.style.height = height + "px";
    paint(width, height);
  };
  new ResizeObserver(onceAFrame(again)).observe(svg.parentElement);
  return onceAFrame(again);
}
