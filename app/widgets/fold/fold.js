const button = find(".fold");
const inside = () => document.getElementById(props.folds);

function set(open) {
  button.setAttribute("aria-expanded", String(open));
  if (inside()) inside().classList.toggle("lnf-folded", !open);
}
// By what the model that is chosen makes.
const name = () => { find(".words").textContent = props.words[(window.lnfChosen || { domain: "music" }).domain]; };
document.addEventListener("lnf-chosen", name);
name();
button.setAttribute("aria-controls", props.folds);
button.addEventListener("click", () => set(button.getAttribute("aria-expanded") !== "true"));
