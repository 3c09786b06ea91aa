// Colours that people with any colour vision tell apart (Okabe and Ito), each with a shape of its own.
const LIGHT = ["#0b63a5", "#b8480b", "#0a7a57", "#8a4fb0", "#a07400", "#c2185b", "#3b7d8c", "#6b5b4d"];
const DARK = ["#66b2ee", "#f2935a", "#4fcca3", "#c39be6", "#e3bd4f", "#f48fb1", "#86c5d3", "#c7b5a3"];
const SHAPES = ["circle", "square", "triangle", "diamond", "cross", "bar", "down", "ring"];
const shape = (at) => SHAPES[at % SHAPES.length];
const dark = () => document.body.classList.contains("dark");
const colourOf = (at) => (shown && at < shown.symbols.length ? (dark() ? DARK : LIGHT)[at % 8] : getComputedStyle(element).getPropertyValue("--lnf-edge").trim());
// A symbol has one colour and one shape, in whichever cloud it stands; what the list does not name is "anything else".
const ranks = (view) => view.symbols.map((item) => shown.symbols.findIndex((other) => other.name === item.name)).map((at) => (at < 0 ? 99 : at));

let asking = false, again = false, frame = 0, plain = null; // plain: the same steps in the model without bends
const compare = find(".compare input");
const layer = find(".layer");
// The server does not know which layer is looked at; the link does.
let asked = linked.get("tab") === "latent" && linked.get("layer");
let besides = linked.get("tab") === "latent" && linked.get("beside");
const query = () => shown.status.query + (Number(layer.value) < shown.layers ? "&layer=" + Number(layer.value) : "");
const tellLayer = () => { if (shown && element.getClientRects().length) goTo(query()); };

async function fetchView() {
  if (asking) { again = true; return; }
  asking = true;
  find(".cloud").setAttribute("aria-busy", "true");
  const wanted = { ...place, beside: compare.checked };
  if (isNew(wanted)) wait("Drawing 4,096 hidden vectors …");
  const answer = await fromServer("view", wanted);
  if (answer.error && fallsBack(answer, wanted)) again = true;
  else if (answer.error) refuse(answer, wanted);
  else take(answer, wanted);
  asking = false;
  find(".cloud").removeAttribute("aria-busy");
  if (again) { again = false; fetchView(); }
}
// The words below the picture may be out of sight of who waits.
function wait(words) { say(words); find(".details").textContent = shown ? words : ""; }
const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

function take(answer, wanted) {
  const follows = asked && Number(asked) >= 0 && Number(asked) <= answer.layers;
  const kept = shown && shown.layers === answer.layers ? Number(layer.value) : follows ? Number(asked) : answer.layers;
  if (asked && !follows) complain("The layer is " + asked.slice(0, 40) + "; give a number from 0 to " + answer.layers + ".");
  asked = null;
  if (besides && !["0", "1"].includes(besides)) complain(linkSays("beside", besides, "it can say beside=1, which adds the model without bends, or leave it out"));
  if (besides === "1" && !answer.beside) complain("Of this model there is none without bends to set beside it.");
  besides = null;
  const unpacked = (view) => {
    const whole = { ...view, points: new Int16Array(bytes(view.points).buffer), labels: bytes(view.labels) };
    return { ...whole, frames: frames(whole) };
  };
  shown = unpacked(answer);
  find(".cloud").classList.remove("empty");
  find(".compare").hidden = !answer.beside;
  plain = answer.beside && answer.beside.points ? unpacked(answer.beside) : null;
  find(".plain").hidden = find(".other").hidden = !plain;
  if (plain) find(".other").textContent = plain.title + ", given the same steps: " + plain.said + " Without bends each number has one hill given the others; as its place hangs on theirs, all of them together may have more.";
  introduce(answer, wanted, "");
  layer.max = answer.layers;
  layer.value = kept;
  find(".choice").textContent = shown.domain === "text"
    ? "All choice between characters lies in this cloud: the decoder only reads off which one a point stands for."
    : "Each point is marked by the keys it makes likeliest. Of music the decoder still draws each key, so the hills of chords run into one another.";
  strip(); legend(); words(); draw();
  say((answer.remark ? answer.remark + " " : "") + answer.said);
  tellLayer();
}

function strip() {
  const text = shown.domain === "text";
  find(".strip").classList.toggle("numbers", !text);
  find(".strip").replaceChildren(...shown.names.map((name, at) => {
    const cell = make("span", at + 1 === shown.step ? "here" : at + 1 < shown.step ? "past" : "", text ? name : at + 1);
    cell.title = name;
    cell.addEventListener("click", () => go(at + 1));
    return cell;
  }));
  const here = find(".strip .here"), box = find(".strip");
  if (here) box.scrollLeft = Math.max(0, here.offsetLeft - box.clientWidth / 2);
  const name = shown.names[shown.step - 1];
  find(".stepWords").textContent = "Step " + shown.step + " of " + shown.names.length + (text ? "" : ": " + name);
  stepInput.setAttribute("aria-valuetext", "step " + shown.step + ", in this sequence " + spaced(name));
}

function mark(context, kind, x, y, size) {
  context.beginPath();
  if (kind === "square") context.rect(x - size, y - size, 2 * size, 2 * size);
  else if (kind === "triangle") { context.moveTo(x, y - 1.3 * size); context.lineTo(x + 1.2 * size, y + size); context.lineTo(x - 1.2 * size, y + size); }
  else if (kind === "down") { context.moveTo(x, y + 1.3 * size); context.lineTo(x + 1.2 * size, y - size); context.lineTo(x - 1.2 * size, y - size); }
  else if (kind === "diamond") { context.moveTo(x, y - 1.4 * size); context.lineTo(x + 1.4 * size, y); context.lineTo(x, y + 1.4 * size); context.lineTo(x - 1.4 * size, y); }
  else if (kind === "cross") { context.rect(x - 1.4 * size, y - size / 2.5, 2.8 * size, size / 1.25); context.rect(x - size / 2.5, y - 1.4 * size, size / 1.25, 2.8 * size); }
  else if (kind === "bar") context.rect(x - 1.5 * size, y - size / 2.5, 3 * size, size / 1.25);
  else context.arc(x, y, kind === "ring" ? 0.7 * size : size, 0, 7);
  context.fill();
}

const percent = (share) => (share < 0.001 ? "under 0.1%" : (100 * share).toFixed(share < 0.1 ? 1 : 0) + "%");
function legend() {
  const rest = 1 - shown.symbols.reduce((sum, item) => sum + item.share, 0);
  const items = [...shown.symbols, ...(rest > 0.0005 ? [{ name: "anything else", share: rest, other: true }] : [])];
  find(".legend").replaceChildren(...items.map((item, at) => {
    const row = make("li"), icon = Object.assign(document.createElement("canvas"), { width: 28, height: 28 });
    icon.style.cssText = "width:14px;height:14px;flex:none";
    const context = icon.getContext("2d");
    context.fillStyle = colourOf(item.other ? 99 : at);
    mark(context, item.other ? "circle" : shape(at), 14, 14, item.other ? 5 : 9);
    const name = spaced(item.name);
    row.append(icon, make("b", "", name), make("span", "share", item.percent || percent(item.share)));
    return row;
  }));
}

function words() {
  const at = Number(layer.value), whole = Math.round(at);
  const said = whole === 0 ? "plain noise" : whole === shown.layers ? "the hidden vectors" : "after " + whole + " of " + shown.layers + " layers";
  find(".layerWords").textContent = said;
  layer.setAttribute("aria-valuetext", said);
  find(".points").setAttribute("aria-label", said + ": " + shown.said);
}

// Points between two layers lie on the straight way from one to the other.
function positions(view) {
  const at = layerOf(view), low = Math.floor(at), part = at - low, n = view.draws;
  const from = low * 2 * n, to = Math.min(low + 1, view.layers) * 2 * n, all = view.points;
  const xy = new Float32Array(2 * n);
  for (let i = 0; i < 2 * n; i++) xy[i] = ((1 - part) * all[from + i] + part * all[to + i]) / 32767;
  return xy;
}

const layerOf = (view) => (Number(layer.value) / shown.layers) * view.layers;
function draw() {
  if (!shown || !find(".points").clientWidth) return;
  const { xy, span, middleX } = paint(find(".points"), shown);
  density(xy, span, middleX);
  if (plain) { paint(find(".plain"), plain); find(".plain").setAttribute("aria-label", find(".other").textContent); }
}
function paint(canvas, view) {
  const xy = positions(view), { context, width, height } = sized(canvas), all = view.symbols.length, ranked = ranks(view);
  const { span, x: middleX, y: middleY } = frameOf(view), unit = 0.46 * Math.min(width, height);
  const X = (value) => width / 2 + ((value - middleX) / span) * unit, Y = (value) => height / 2 - ((value - middleY) / span) * unit;
  context.globalAlpha = 0.6;
  for (let label = all; label >= 0; label--) {
    const rank = label < all ? ranked[label] : 99, listed = rank < 99;
    context.fillStyle = colourOf(rank);
    for (let i = 0; i < view.draws; i++)
      if (view.labels[i] === label) mark(context, listed ? shape(rank) : "circle", X(xy[2 * i]), Y(xy[2 * i + 1]), listed ? 1.8 : 1.1);
  }
  context.globalAlpha = 1;
  names(context, view, xy, X, Y);
  if (isWholeWay(view)) ring(context, X(view.actual[0]), Y(view.actual[1]));
  if (plain) {
    context.font = "12px " + getComputedStyle(element).getPropertyValue("--lnf-sans");
    context.textAlign = "left";
    context.fillStyle = getComputedStyle(element).getPropertyValue("--lnf-soft");
    context.fillText(view === shown ? "with bends (NLSq)" : "without (affine)", 10, 16);
  }
  return { xy, span, middleX };
}
// What is in the picture: around the middle of the layer at hand, as wide as the widest layer.
function frames(view) {
  const list = [];
  for (let at = 0; at <= view.layers; at++) {
    const axes = [0, 1].map((axis) => {
      const values = new Float32Array(view.draws);
      for (let i = 0; i < view.draws; i++) values[i] = view.points[2 * (at * view.draws + i) + axis] / 32767;
      values.sort();
      const low = values[Math.floor(0.004 * view.draws)], high = values[Math.ceil(0.996 * view.draws) - 1];
      return { middle: (low + high) / 2, half: (high - low) / 2 };
    });
    list.push({ x: axes[0].middle, y: axes[1].middle, span: 1.08 * Math.max(axes[0].half, axes[1].half, 1e-6) });
  }
  return list;
}
function frameOf(view) {
  const at = layerOf(view), low = Math.min(Math.floor(at), view.layers), high = Math.min(low + 1, view.layers), part = at - low;
  const mix = (name) => (1 - part) * view.frames[low][name] + part * view.frames[high][name];
  return { x: mix("x"), y: mix("y"), span: mix("span") };
}
// The ring is of the last layer alone.
const isWholeWay = (view) => layerOf(view) >= view.layers - 0.01;
// The name of each symbol stands where its points are, above or below the ring.
function names(context, view, xy, X, Y) {
  const style = getComputedStyle(element);
  context.font = "600 14px " + style.getPropertyValue("--lnf-sans");
  context.textAlign = "center";
  context.textBaseline = "middle";
  const taken = [], ranked = ranks(view), ringed = isWholeWay(view) && { x: X(view.actual[0]), y: Y(view.actual[1]) };
  view.symbols.forEach((item, label) => {
    let x = 0, y = 0, count = 0;
    for (let i = 0; i < view.draws; i++) if (view.labels[i] === label) { x += xy[2 * i]; y += xy[2 * i + 1]; count += 1; }
    if (count < 12 || (shown.domain === "music" && label > (plain ? 1 : 3))) return;
    context.lineWidth = 4;
    context.strokeStyle = style.getPropertyValue("--lnf-card");
    context.fillStyle = colourOf(ranked[label]);
    const name = spaced(item.name), half = context.measureText(name).width / 2, at = { x: X(x / count), y: Y(y / count), half };
    if (ringed && Math.abs(ringed.y - at.y) < 18 && Math.abs(ringed.x - at.x) < half + 10) at.y = ringed.y + (at.y > ringed.y ? 20 : -20);
    if (taken.some((other) => Math.abs(other.y - at.y) < 16 && Math.abs(other.x - at.x) < other.half + half + 4)) return; // the legend has it
    taken.push(at);
    context.strokeText(name, at.x, at.y);
    context.fillText(name, at.x, at.y);
  });
}
function ring(context, x, y) {
  context.strokeStyle = getComputedStyle(element).getPropertyValue("--lnf-ink");
  context.lineWidth = 2;
  context.beginPath();
  context.arc(x, y, 8, 0, 7);
  context.stroke();
}
function density(xy, span, middle) {
  const { context, width, height } = sized(find(".density")), bins = 72, groups = shown.symbols.length + 1;
  const counts = Array.from({ length: bins }, () => new Array(groups).fill(0));
  let most = 1;
  for (let i = 0; i < shown.draws; i++) {
    const bin = Math.floor((((xy[2 * i] - middle) / span) * 0.5 + 0.5) * bins);
    if (bin >= 0 && bin < bins) counts[bin][Math.min(shown.labels[i], groups - 1)] += 1;
  }
  for (const bin of counts) most = Math.max(most, bin.reduce((a, b) => a + b, 0));
  context.fillStyle = getComputedStyle(element).getPropertyValue("--lnf-soft");
  context.fillText(most + " draws", 2, 11);
  context.fillRect(0, height - 1, width, 1);
  counts.forEach((bin, at) => {
    let below = 0;
    bin.forEach((count, label) => {
      if (!count) return;
      const tall = (count / most) * (height - 20);
      context.fillStyle = colourOf(label);
      context.fillRect((at * width) / bins, height - 1 - below - tall, width / bins + 0.5, tall);
      below += tall;
    });
  });
}

function go(step) {
  const last = shown ? shown.names.length : 32;
  place.step = Math.max(1, Math.min(last, step));
  fetchView();
}
function bend() {
  cancelAnimationFrame(frame);
  if (!shown) return;
  if (isStill()) { layer.value = Number(layer.value) >= shown.layers ? 0 : shown.layers; words(); draw(); tellLayer(); return; }
  const began = performance.now(), seconds = 0.9 * shown.layers;
  const tick = (now) => {
    layer.value = Math.min(shown.layers, ((now - began) / 1000 / seconds) * shown.layers);
    words(); draw();
    if (Number(layer.value) < shown.layers) frame = requestAnimationFrame(tick); else tellLayer();
  };
  frame = requestAnimationFrame(tick);
}

stepInput.addEventListener("input", () => go(Number(stepInput.value)));
layer.addEventListener("input", () => { cancelAnimationFrame(frame); if (shown) { words(); draw(); } });
layer.addEventListener("change", tellLayer); // once the hand rests: browsers allow a few changes of the address a second
compare.addEventListener("change", fetchView);
find(".bend").addEventListener("click", bend);
onThemeChange(() => { if (shown) { legend(); draw(); } });
compare.checked = besides === "1";
follow("latent", fetchView, (again) => { if (again) tellLayer(); draw(); });
