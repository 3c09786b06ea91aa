// Four classes of sureness; each differs from the next in tint and in the line below it.
const CLASSES = [
  { from: 90, name: "s0", words: "90% or more" },
  { from: 50, name: "s1", words: "50 to 90%" },
  { from: 20, name: "s2", words: "20 to 50%" },
  { from: 0, name: "s3", words: "below 20%" },
];
const classOf = (sure) => CLASSES.find((item) => sure >= item.from).name;

function legend() {
  const parts = CLASSES.map((item) => {
    const part = make("span");
    part.append(make("b", item.name, "abc"), document.createTextNode(item.words));
    return part;
  });
  const given = isWhole(props.value) && props.value.given ? [make("b", "given", "your own")] : [];
  find(".legend").replaceChildren(make("span", "", "How sure the model was:"), ...parts, ...given);
}

function lineOf(line) {
  const row = make("li");
  // A screen reader gets the line in one piece, the eye gets a span for each character.
  row.append(make("span", "lnf-hear", line.symbols.join("")));
  const seen = make("span", "line");
  seen.setAttribute("aria-hidden", "true");
  line.symbols.forEach((symbol, index) => {
    const given = index < props.value.given;
    const span = make("span", given ? "given" : classOf(line.sure[index]), symbol);
    if (!given) span.dataset.sure = line.sure[index];
    seen.append(span);
  });
  row.append(seen);
  return row;
}

function draw() {
  const value = props.value;
  legend();
  find(".readout").textContent = ""; // it was of a character of the lines before
  if (!isWhole(value)) {
    find(".title").textContent = "Nothing sampled yet";
    find(".lines").replaceChildren(make("li", "empty", "Press Sample and the lines appear here."));
    return;
  }
  find(".text").style.setProperty("--tint", "var(--lnf-" + value.variant + ", var(--lnf-ink))");
  find(".title").replaceChildren(...marked(value.variant, value.marker, " " + value.title));
  find(".details").textContent = (value.opening ? "ready-made, " : "") + value.details;
  find(".lines").replaceChildren(...unpacked(value.lines).map(lineOf));
  find(".caption").textContent = value.caption;
  const link = find(".txt");
  link.hidden = false;
  link.href = value.file.url;
  link.download = value.file.orig_name;
}

find(".lines").addEventListener("pointerover", (event) => {
  const sure = event.target.dataset ? event.target.dataset.sure : undefined;
  if (sure === undefined) return;
  const symbol = event.target.textContent === " " ? "space" : "“" + event.target.textContent + "”";
  find(".readout").textContent = symbol + ": the model gave it " + (sure === "0" ? "less than 1" : sure) + "%.";
});

draw();
watch("value", draw);
announces(() => isWhole(props.value) && props.value.status);
