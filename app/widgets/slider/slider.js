// The field takes the keyboard: arrows step it, and what is typed goes to the server unchanged.
const typed = find(".typed"), dragged = find(".dragged");

function draw() {
  find(".words").textContent = props.words || "";
  Object.assign(dragged, { min: props.least, max: props.most, step: props.step });
  const value = props.value === null || props.value === undefined ? "" : String(props.value);
  if (typed.value !== value) typed.value = value;
  if (value.trim() !== "" && isFinite(value)) dragged.value = value;
}
typed.addEventListener("input", () => { props.value = typed.value; draw(); });
dragged.addEventListener("input", () => { props.value = dragged.value; draw(); });
typed.addEventListener("keydown", (event) => {
  const by = { ArrowUp: 1, ArrowDown: -1 }[event.key];
  if (!by || !isFinite(typed.value)) return;
  event.preventDefault();
  const next = Number(typed.value) + by * props.step;
  props.value = String(Number(Math.min(props.most, Math.max(props.least, next)).toFixed(4)));
  draw();
  typed.dispatchEvent(new Event("input", { bubbles: true })); // as if it had been typed
});

draw();
watch(["value", "words"], draw);
