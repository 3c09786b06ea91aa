// Shared by every widget: runs first, in the same function body.
const find = (selector) => element.querySelector(selector);
const make = (tag, className, text) => {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined && text !== null) node.textContent = text;
  return node;
};
// A variant's colour and marker are set once, as custom properties in theme.css.
const variantColour = (variant) => {
  const style = getComputedStyle(element);
  return style.getPropertyValue("--lnf-" + variant).trim() || style.getPropertyValue("--lnf-ink").trim();
};
const isWhole = (value) => value && typeof value === "object";
// Both schemes are told by a class on <body>; canvases must be redrawn when it changes.
const onThemeChange = (callback) =>
  new MutationObserver(callback).observe(document.body, { attributes: true, attributeFilter: ["class"] });
// What is seen says its own line above it: when it comes into sight, and when it changes in sight.
function announces(status) {
  let said = null, opened = false; // the line the page opened with is there already, or a link has put another
  const tell = () => {
    const seen = element.getClientRects().length > 0, now = seen ? status() : null;
    if (opened && isWhole(now) && now !== said) document.dispatchEvent(new CustomEvent("lnf-shown", { detail: now }));
    said = now;
    opened = true;
  };
  new ResizeObserver(tell).observe(element);
  watch("value", tell);
}
