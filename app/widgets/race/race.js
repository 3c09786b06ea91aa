const value = () => (isWhole(props.value) ? props.value : null);
const lineOf = (row) => row.variant + "/" + row.engine;
// What its link asks for and the checkbox cannot say.
const linked = new URLSearchParams(location.search), slow = (linked.get("tab") === "race" && linked.get("plain")) || "1";
const complaint = ["0", "1"].includes(slow) ? "" : linkSays("plain", slow, "it can say plain=1, which adds plain PyTorch, or leave it out") + " ";
const number = (ms) => (ms < 10 ? ms.toFixed(2) : ms < 100 ? ms.toFixed(1) : Math.round(ms).toLocaleString("en"));
function groups() {
  const lines = new Map();
  for (const row of value().rows) lines.set(lineOf(row), [...(lines.get(lineOf(row)) || []), row]);
  return [...lines.values()];
}

function chart() {
  const canvas = find(".chart");
  if (!canvas.clientWidth || !value()) return;
  const { context, width, height } = sized(canvas), style = getComputedStyle(element), soft = style.getPropertyValue("--lnf-soft"), line = style.getPropertyValue("--lnf-line");
  const rows = value().rows, box = { left: 64, right: width - 20, top: 32, bottom: height - 40 };
  const lengths = [...new Set(rows.map((row) => row.length))].sort((a, b) => a - b), times = rows.map((row) => row.milliseconds);
  const x0 = Math.log2(lengths[0] || 16) - 0.15, x1 = Math.log2(lengths.at(-1) || 128) + 0.15;
  const y0 = Math.floor(Math.log10(Math.min(1, ...times))), y1 = Math.max(y0 + 1, Math.ceil(Math.log10(Math.max(10, ...times))));
  const X = (length) => box.left + ((Math.log2(length) - x0) / Math.max(0.3, x1 - x0)) * (box.right - box.left);
  const Y = (ms) => box.bottom - ((Math.log10(ms) - y0) / (y1 - y0)) * (box.bottom - box.top);
  context.textBaseline = "middle";
  for (let power = y0; power <= y1; power++) {
    context.fillStyle = line;
    context.fillRect(box.left, Y(10 ** power), box.right - box.left, 1);
    context.fillStyle = soft;
    context.textAlign = "right";
    context.fillText(power >= 3 ? 10 ** (power - 3) + " s" : 10 ** power + " ms", box.left - 8, Y(10 ** power));
  }
  context.textAlign = "center";
  for (const length of lengths) context.fillText(length, X(length), box.bottom + 14);
  context.fillText("length in " + value().unit + " (logarithmic axes)", (box.left + box.right) / 2, box.bottom + 30);
  context.textAlign = "left";
  context.fillText("time for one sequence", 8, 14);
  context.textAlign = "center";
  for (const group of groups()) {
    const colour = variantColour(group[0].variant);
    context.strokeStyle = context.fillStyle = colour;
    context.lineWidth = 2;
    context.setLineDash(group[0].engine === "eager" ? [5, 5] : []);
    context.beginPath();
    group.forEach((row, at) => (at ? context.lineTo(X(row.length), Y(row.milliseconds)) : context.moveTo(X(row.length), Y(row.milliseconds))));
    context.stroke();
    context.setLineDash([]);
    context.font = "15px " + style.getPropertyValue("--lnf-sans");
    for (const row of group) context.fillText(row.marker, X(row.length), Y(row.milliseconds));
    context.font = "12px " + style.getPropertyValue("--lnf-sans");
  }
  canvas.setAttribute("aria-label", "Time against length. " + groups().map((group) => group[0].title + ", " + group[0].engine_words + ": " + group.map((row) => row.length + " in " + number(row.milliseconds) + " ms").join(", ")).join("; "));
}

function table() {
  const lengths = [...new Set(value().rows.map((row) => row.length))].sort((a, b) => a - b);
  find("table").hidden = !value().rows.length;
  const heads = ["Model, engine", ...lengths].map((text) => Object.assign(make("th", "", text), { scope: "col" }));
  heads.slice(1).forEach((head) => head.append(make("span", "unit", " " + value().unit)));
  find("thead tr").replaceChildren(...heads);
  find("tbody").replaceChildren(...groups().map((group) => {
    const line = make("tr");
    line.append(make("td", "", group[0].title + ", " + group[0].engine_words));
    for (const length of lengths) {
      const row = group.find((item) => item.length === length), cell = make("td", "", row ? number(row.milliseconds) + " ms " : "—");
      if (row) cell.append(make("small", "", row.dependent_steps === 1 ? "all at once" : row.dependent_steps + " in turn"));
      line.append(cell);
    }
    return line;
  }));
  find(".legend").replaceChildren(...groups().map((group) => {
    const item = make("li", "", ""), marker = make("b", "", group[0].marker + (group[0].engine === "eager" ? " - -" : " —"));
    marker.style.color = "var(--lnf-" + group[0].variant + ", var(--lnf-ink))";
    item.append(marker, document.createTextNode(group[0].title + ", " + group[0].engine_words));
    return item;
  }));
}

// Gradio puts the place in its queue and a clock beside the picture; the card says it in words instead.
const block = element.closest(".block");
let waits = "";
function queued() {
  const told = block.querySelector(".progress-text"), place = told && /queue: (\d+)\//.exec(told.textContent);
  if (told) told.style.display = "none";
  const now = !place ? "" : place[1] === "1" ? "Another race is running, and races run one at a time; yours comes next." :
    "Races run one at a time; yours is number " + place[1] + " of those that wait.";
  if (now !== waits) { waits = now; say(); if (!waits && !value()) leaveStop(); }
}
// Race does nothing while a race runs, which may be one on the data set chosen before.
const isOther = () => value().running && window.lnfChosen && window.lnfChosen.dataset !== value().dataset;
function say() {
  find(".now").textContent = waits || (value() ? value().now + (isOther() ? ". For the data set chosen now, press Stop, then Race." : "") : complaint + "Press Race: the models draw the same lengths one after the other, and the times appear here.");
}
const IN_TURN = "“In turn” counts the steps of time that had to wait for the one before: that number, not the arithmetic, is what a flow that draws all at once saves.";
const INSIDE = " Inside each step AF/AF takes a turn for each hidden number in each layer of its flow; these are not counted here.";

// Stop is there while there is something to stop (theme.css); whoever pressed it is led back to Race.
const leaveStop = () => { if (document.activeElement.id === "race-stop") document.getElementById("race-button").focus(); };
function draw() {
  say();
  find(".race").classList.toggle("running", Boolean(value() && value().running));
  if (!value() || !value().running) leaveStop();
  find(".chart").hidden = !value();
  if (!value()) return;
  find(".title").textContent = value().title;
  find(".said").textContent = value().said;
  find(".caption").textContent = value().machine + " " + IN_TURN + (value().rows.some((row) => row.variant === "af-af") ? INSIDE : "");
  find(".out").replaceChildren(...value().left_out.map((text) => make("li", "", text)));
  find(".csv").hidden = value().running || !value().rows.length;
  table(); chart();
}
find(".csv").addEventListener("click", () => {
  const names = ["data set", "model", "engine", "length in " + value().unit, "milliseconds", "steps in turn", "machine"];
  const cells = (row) => [value().dataset_title, row.title, row.engine_words, row.length, row.milliseconds, row.dependent_steps, value().server];
  const written = (cell) => (/[",]/.test(cell) ? '"' + String(cell).replaceAll('"', '""') + '"' : cell);
  const lines = [names, ...value().rows.map(cells)].map((line) => line.map(written).join(",") + "\r\n");
  save(new Blob(lines, { type: "text/csv" }), "lnf-race-" + value().dataset + ".csv");
});
new ResizeObserver(chart).observe(element);
new MutationObserver(queued).observe(block, { childList: true, subtree: true, characterData: true });
onThemeChange(() => value() && chart());
draw();
watch("value", draw);
// Before there is a race, the address is that of the one that Race would start.
function toCome() {
  const plain = document.querySelector("#race-plain input");
  return "tab=race" + (window.lnfChosen ? "&dataset=" + window.lnfChosen.dataset : "") + (plain && plain.checked ? "&plain=1" : "");
}
announces(() => value() ? value().status : { kind: "done", text: "", query: toCome() });
document.addEventListener("lnf-chosen", () => { say(); if (!value()) tabOf().dispatchEvent(new CustomEvent("lnf-tell")); });
