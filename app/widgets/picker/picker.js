const group = "lnf-" + Math.random().toString(36).slice(2);
const options = () => props.options || [];
const chosen = () => options().find((option) => option.name === props.value);
let shown = "";

function radio(name, text, checked, disabled, onChoose) {
  const label = make("label");
  const input = make("input");
  Object.assign(input, { type: "radio", name: group + name, checked, disabled });
  input.addEventListener("change", onChoose);
  label.append(input, make("span", "", text));
  return label;
}

function choose(option) {
  if (option && !option.problem) props.value = option.name;
  draw();
}

// Going to another data set keeps the variant when it works there, or takes the one that pages begin with.
function enter(dataset) {
  const there = options().filter((option) => option.dataset === dataset && !option.problem);
  const current = chosen();
  choose(there.find((option) => current && option.variant === current.variant) || there.find((option) => option.preferred) || there[0]);
}

function draw() {
  const current = chosen();
  const key = JSON.stringify([props.value, options()]);
  if (key === shown) return;
  const focused = element.contains(document.activeElement) ? document.activeElement.dataset.key : null;
  shown = key;
  window.lnfChosen = current; // for whoever says which model was chosen, and comes later
  document.dispatchEvent(new CustomEvent("lnf-chosen"));
  const sets = new Map(options().map((option) => [option.dataset, option]));
  find(".sets").replaceChildren(...[...sets.values()].map((option) => {
    const usable = options().some((other) => other.dataset === option.dataset && !other.problem);
    const checked = Boolean(current) && current.dataset === option.dataset;
    const label = radio("set", option.dataset_title, checked, !usable, () => enter(option.dataset));
    label.firstChild.dataset.key = "set " + option.dataset;
    label.append(make("span", "kind", option.domain));
    return label;
  }));
  const here = options().filter((option) => current && option.dataset === current.dataset);
  find(".variants").replaceChildren(...here.map((option) => {
    const label = radio("variant", option.plain, option.name === props.value, Boolean(option.problem), () => choose(option));
    const input = label.firstChild;
    input.dataset.key = "variant " + option.variant;
    input.setAttribute("aria-label", option.plain + " (" + option.title + "): " + (option.problem || option.blurb));
    label.title = option.problem || option.blurb;
    label.style.setProperty("--lnf-choice", "var(--lnf-" + option.variant + ", var(--lnf-ink))");
    const marker = make("span", "marker", option.marker);
    marker.setAttribute("aria-hidden", "true");
    label.insertBefore(marker, label.children[1]);
    label.append(make("span", "kind", option.title));
    return label;
  }));
  // Variants that share a reason share a sentence.
  const reasons = new Map();
  for (const option of here) if (option.problem) reasons.set(option.problem, [...(reasons.get(option.problem) || []), option.title]);
  const about = current ? current.plain + ": " + current.blurb + "." : "No model can be used here yet: train one, or fetch the bundled checkpoints.";
  const problems = [...reasons].map(([reason, titles]) => titles.join(", ") + ": " + reason);
  // On a phone, where the paper's names would not fit beside the plain ones, that of the chosen model.
  find(".reason").replaceChildren(make("span", "brief", current ? current.plain + " (" + current.title + ")" : ""), make("span", "whole", [about, ...problems].join(" ")));
  if (focused) {
    const again = [...element.querySelectorAll("input")].find((input) => input.dataset.key === focused);
    if (again) again.focus();
  }
}

draw();
watch(["value", "options"], draw);
