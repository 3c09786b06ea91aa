// The address is that of what was used last: this picture, or the way between two sequences below it.
let mine = !linked.get("first"), mixing = false;
document.addEventListener("click", (event) => { if (event.target.closest("#mix")) mixing = true; });
const use = () => { mine = true; mixing = false; };
// The way asks before it tells its own, when it arrives and whenever it comes into sight.
tabOf().addEventListener("lnf-address", (event) => {
  if (mixing) mine = mixing = false;
  if (mine) event.preventDefault();
});
const hasWay = () => [...document.querySelectorAll("#way-roll, #way-lines")].some((one) => one.getClientRects().length);
// Back in sight, where nothing was mixed, nobody else tells one.
const tellAddress = (again) => { if ((mine || (again && !hasWay())) && element.getClientRects().length) goTo((reach || shown).status.query); };
// A link to the way opens at the way, or at what is wrong with it, and not a screen above.
let byWay = linked.get("tab") === "inside" && ["first", "second", "through"].some((name) => linked.has(name));
const bringWay = () => { if (byWay) document.querySelector(window.innerWidth <= 700 ? "#mixed" : "#tab-inside .lnf-part").scrollIntoView(); };
let reach = null, asking = false, again = null;

const wait = (words) => say(words); // they stand above the picture
async function ask(kind) {
  if (asking) { again = again === "view" ? "view" : kind; return; }
  asking = true;
  find(".inside").setAttribute("aria-busy", "true");
  const wanted = { ...place };
  if (isNew(wanted)) wait("Taking a sequence apart …");
  const answer = await fromServer(kind, wanted);
  if (answer.error && fallsBack(answer, wanted)) again = "view";
  else if (answer.error) refuse(answer, wanted);
  else if (kind === "view") { take(answer, wanted); again = again || "poke"; }
  else { reach = answer; if (find(".said").classList.contains("bad")) say(shown.remark); drawReach(); tellAddress(); bringWay(); byWay = false; }
  asking = false;
  find(".inside").removeAttribute("aria-busy");
  const next = again;
  again = null;
  if (next) ask(next);
}
function take(answer, wanted) {
  shown = answer;
  reach = null;
  introduce(answer, wanted, ", " + counted(answer.names.length, answer.domain === "text" ? "character" : "step"));
  find(".body").hidden = false;
  say(answer.remark);
  drawAll();
  tellAddress();
  bringWay();
}

// 0.15, 1.2 × 10⁻⁶
function small(number) {
  if (number === 0 || number >= 0.001) return String(Number(number.toPrecision(2)));
  const [digits, power] = number.toExponential(1).split("e-");
  return digits + " × 10⁻" + [...power].map((digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[digit]).join("");
}
const colour = (name) => getComputedStyle(element).getPropertyValue("--lnf-" + name).trim();
// Characters where they find room; otherwise every fourth step is numbered, or as many as find room.
const number = (at, wide) => (at % ([4, 8, 16, 32].find((every) => every * wide > 26) || 64) ? "" : at + 1);
const label = (at, wide) => (shown.domain === "text" && wide > 8 ? (shown.names[at] === " " ? "␣" : shown.names[at]) : number(at, wide));
const nats = (value) => value.toFixed(2);

// Bars side by side for every step: `series` is [{ values, fill, outlined }]; `unit` is that of the axis upwards.
function bars(canvas, series, unit, mark) {
  const { context, width, height } = sized(canvas), steps = shown.names.length, base = height - 20, wide = (width - 50) / steps, top = 26;
  const most = Math.max(1e-9, ...series.flatMap((one) => one.values)), least = Math.min(0, ...series.flatMap((one) => one.values));
  const Y = (value) => top + ((most - value) / (most - least)) * (base - 2 - top);
  context.fillStyle = colour("soft");
  context.textAlign = "left";
  context.fillText(unit, 4, 12);
  context.fillText(most >= 0.1 ? most.toFixed(1) : most.toPrecision(1), 4, top + 8);
  context.fillText("0", 4, Y(0));
  context.fillStyle = colour("line");
  context.fillRect(44, Y(0), width - 50, 1);
  context.textAlign = "center";
  for (let at = 0; at < steps; at++) {
    const x = 46 + at * wide;
    if (mark === at) { context.fillStyle = colour("black-key"); context.fillRect(x, top - 6, wide, height - top + 6); }
    series.forEach((one, order) => {
      const each = Math.max(1, (wide - 2) / series.length), top = Y(Math.max(0, one.values[at])), bottom = Y(Math.min(0, one.values[at]));
      context.fillStyle = context.strokeStyle = one.fill;
      if (one.outlined) context.strokeRect(x + order * each + 1, top, Math.max(1, each - 1.5), bottom - top);
      else context.fillRect(x + order * each + 0.5, top, Math.max(1, each - 0.5), bottom - top);
    });
    context.fillStyle = colour("soft");
    context.fillText(label(at, wide), x + wide / 2, height - 6);
  }
}
function drawCosts() {
  const total = (values) => values.reduce((sum, value) => sum + value, 0), { reconstruction, kl } = shown;
  bars(find(".costs"), [{ values: reconstruction, fill: colour("soft"), outlined: true }, { values: kl, fill: variantColour(shown.variant) }], "nats");
  // The sum is that of the two figures as they are written.
  const written = [kl, reconstruction].map((values) => nats(total(values))), sum = nats(Number(written[0]) + Number(written[1]));
  const both = kl.map((value, at) => value + reconstruction[at]), dear = both.indexOf(Math.max(...both));
  const words = "Filled: KL, what the true step tells the prior anew; outlined: reconstruction, what the decoder still guesses; in nats (1.44 bits each), mean of " + shown.draws + " draws of the hidden vectors. In all KL " + written[0] + " + reconstruction " + written[1] + " = " + sum + "; the costliest step is " + (dear + 1) + " (" + spaced(shown.names[dear]) + "), KL " + nats(kl[dear]) + " + reconstruction " + nats(reconstruction[dear]) + ".";
  find(".costsWords").textContent = words;
  find(".costs").setAttribute("aria-label", words);
}
function drawLayers() {
  const last = shown.layers.length - 1;
  find(".layers").replaceChildren(...shown.layers.map((layer, at) => {
    const row = make("div"), name = at === 0 ? "noise" : at === last ? "finished" : "layer " + at + " of " + last;
    row.append(make("small", "", name));
    if (typeof layer === "string") row.append(make("code", "", layer));
    else { const canvas = make("canvas"); canvas.setAttribute("role", "img"); canvas.setAttribute("aria-label", name + ": " + layer.length + " notes"); row.append(canvas); }
    return row;
  }));
  if (shown.domain === "music") {
    const pitches = shown.layers.flat().map((note) => note[2]), low = Math.min(...pitches, 48) - 1, high = Math.max(...pitches, 72) + 1;
    find(".layers").querySelectorAll("canvas").forEach((canvas, at) => {
      const { context, width, height } = sized(canvas), tall = height / (high - low + 1);
      context.fillStyle = variantColour(shown.variant);
      for (const [start, held, pitch] of shown.layers[at]) context.fillRect((start / shown.names.length) * width, (high - pitch) * tall, Math.max(2, (held / shown.names.length) * width - 1), Math.max(2, tall));
    });
  }
  const grown = shown.step_error === null ? "" : " One step alone, after the true ones before it, comes back within " + small(shown.step_error) + ": it is rounding that grows from step to step, in a sequence the model finds unlikely.";
  find(".back").textContent = "There and back again through the flow in single precision the vectors differ by at most " + small(shown.inversion_error) + "." + grown;
}
function drawReach() {
  find(".stepWords").textContent = "Step " + place.step + " of " + shown.names.length;
  stepInput.setAttribute("aria-valuetext", "step " + place.step);
  if (!reach) return;
  const most = Math.max(...reach.x), moves = most >= 1e-3, scale = moves ? Math.max(...reach.z) / most : 0;
  const all = "mean over all " + (shown.domain === "music" ? "keys" : "characters"); // of which one may change by far more
  const outlined = { values: reach.x.map((value) => value * scale), fill: colour("soft"), outlined: true };
  bars(find(".reach"), [{ values: reach.z, fill: variantColour(shown.variant) }, ...(moves ? [outlined] : [])], "distance moved", reach.step - 1);
  find(".reachWords").textContent = reach.said + " Filled: how far each hidden vector moves (mean over its numbers)" + (moves ? "; outlined: how far the probabilities of what is read move (" + all + "), at most " + most.toFixed(most < 0.1 ? 3 : 2) + ", drawn to the same height." : ". What is read hardly moves: its probabilities change by less than a thousandth (" + all + ").");
  find(".reach").setAttribute("aria-label", reach.said);
}
function drawBound() {
  const { context, width, height } = sized(find(".bound")), points = shown.bound, values = points.map((point) => point.nats);
  const most = Math.max(...values), least = Math.min(...values), room = Math.max(1e-6, most - least);
  const X = (draws) => 60 + (Math.log2(draws) / Math.log2(points.at(-1).draws)) * (width - 130), Y = (value) => 28 + ((most - value) / room) * (height - 72);
  context.strokeStyle = context.fillStyle = variantColour(shown.variant);
  context.lineWidth = 2;
  context.beginPath();
  points.forEach((point, at) => (at ? context.lineTo(X(point.draws), Y(point.nats)) : context.moveTo(X(point.draws), Y(point.nats))));
  context.stroke();
  for (const point of points) {
    context.beginPath(); context.arc(X(point.draws), Y(point.nats), 3.5, 0, 7); context.fill();
    if (point.error) { context.beginPath(); context.moveTo(X(point.draws), Y(point.nats - point.error)); context.lineTo(X(point.draws), Y(point.nats + point.error)); context.stroke(); }
  }
  context.fillStyle = colour("soft");
  context.textAlign = "center";
  points.forEach((point, at) => { if (at === points.length - 1 || X(points[at + 1].draws) - X(point.draws) > 18) context.fillText(point.draws, X(point.draws), height - 8); });
  context.textAlign = "right";
  context.fillText("draws", width - 4, height - 8);
  context.textAlign = "left";
  context.fillText("nats a step", 4, 12);
  context.fillText(nats(most), 6, Y(most) + 4);
  if (room > 0.02) context.fillText(nats(least), 6, Y(least) + 4);
  const words = "Nats a step against the number of draws: from " + nats(values[0]) + " with one draw (the ELBO) to " + nats(values.at(-1)) + " with " + points.at(-1).draws + ". More draws of the hidden vectors bring the bound nearer to the true likelihood of this sequence; upright lines are one standard error, and points without one are single estimates, which may lie above the one before." + (shown.length_seen ? " It holds the choice of where to stop as well, " + nats(shown.length_nats) + " nats here, and is shared out over the " + counted(shown.names.length, "step") + " and that choice." : " The choice of where to stop is left out: no training sequence has this length.");
  find(".boundWords").textContent = words;
  find(".bound").setAttribute("aria-label", words);
}
function drawAll() {
  if (!shown || !find(".costs").clientWidth) return;
  drawCosts(); drawLayers(); drawBound(); drawReach();
}

stepInput.addEventListener("input", () => { use(); place.step = Number(stepInput.value); find(".stepWords").textContent = "Step " + place.step + " of " + shown.names.length; ask("poke"); });
onThemeChange(drawAll);
function load(used) {
  if (used) use();
  ask("view");
}
follow("inside", load, (again) => { if (again) tellAddress(true); drawAll(); });
