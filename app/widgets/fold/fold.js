const button = find(".fold");
const inside = () => document.getElementById(props.folds);

function set(open) {
  button.setAttribute("aria-expanded", String(open));
  if (inside()) inside().classList.toggle("lnf-folded", !open);
}
find(".words").textContent = props.words;
button.setAttribute("aria-controls", props.folds);
button.addEventListener("click", () => set(button.getAttribute("aria-expanded") !== "true"));
