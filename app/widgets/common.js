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
