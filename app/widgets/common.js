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
// What `packed` made, read once; the value it belongs to is asked for at every frame.
const unpacked = ((read) => (text) => {
  if (!read.has(text)) read.set(text, JSON.parse(text));
  if (read.size > 32) read.delete(read.keys().next().value);
  return read.get(text);
})(new Map());
// A variant's marker in its colour, and what stands beside it; read aloud, the words are enough.
function marked(variant, sign, words) {
  const marker = make("span", "marker", sign);
  marker.setAttribute("aria-hidden", "true");
  marker.style.color = "var(--lnf-" + variant + ", var(--lnf-ink))";
  return [marker, words];
}
const isWhole = (value) => value && typeof value === "object";
// Both schemes are told by a class on <body>; canvases must be redrawn when it changes.
const onThemeChange = (callback) =>
  new MutationObserver(callback).observe(document.body, { attributes: true, attributeFilter: ["class"] });
// A canvas as large as it is shown, in the pixels of the screen, with the page's type.
function sized(canvas) {
  const ratio = window.devicePixelRatio || 1, width = canvas.clientWidth, height = canvas.clientHeight;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.font = "12px " + getComputedStyle(element).getPropertyValue("--lnf-sans");
  return { context, width, height };
}
const save = (blob, name) => {
  const anchor = make("a");
  anchor.href = URL.createObjectURL(blob);
  anchor.download = name;
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(anchor.href), 10000);
};
// Who asked for less motion is taken somewhere at once; the style sheet has no say in what a script asks for.
const isStill = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
const pace = () => (isStill() ? "instant" : "smooth");
// The address of the page restores what is shown.
function address(query) {
  const values = new URLSearchParams(query);
  const theme = new URLSearchParams(location.search).get("__theme");
  if (theme) values.set("__theme", theme);
  return location.pathname + (values.size ? "?" + values : "");
}
const tabIn = (query) => new URLSearchParams(query).get("tab") || "sample";
// The browser's Back goes back a tab; within one the address changes without a trace.
const goTo = (query) => history[tabIn(query) === tabIn(location.search) ? "replaceState" : "pushState"](history.state, "", address(query));
// As a press on the tab's name; on a narrow page Gradio folds names into a menu, where nothing but the words tells them apart.
function openTab(name) {
  const shown = document.querySelector('#tabs button[role=tab][data-tab-id="' + name + '"]');
  if (shown) return shown.click();
  const words = [...document.querySelectorAll("#tabs .tab-container[aria-hidden=true] button")].map((one) => one.textContent)[TAB_NAMES.indexOf(name)];
  const folded = [...document.querySelectorAll("#tabs .overflow-dropdown button")].find((one) => one.textContent === words);
  if (folded) folded.click();
}
// What a link asks for in vain, and what it can say there.
const linkSays = (name, text, instead) => "The link says " + name + "=" + text.slice(0, 40) + "; " + instead + ".";
// What a server function answers. Where the server is gone or refuses, Gradio gives nothing back or throws.
const fromServer = async (name, wanted) => (await server[name](wanted).catch(() => null)) || { error: "The server did not answer; please try again." };
// The field a refusal is about says so itself; the next answer, or another value, takes it back. It is read aloud by the
// line that says it as well; `alone`, where there is none, by itself.
function markRefusal(name, words, alone) {
  document.querySelectorAll(".lnf-refusal").forEach((old) => old.remove());
  document.querySelectorAll("[aria-invalid]").forEach((old) => old.removeAttribute("aria-invalid"));
  const turn = (window.lnfRefusals = (window.lnfRefusals || 0) + 1);
  // While the page opens, a refusal may be there before its field.
  if (name) whenThere(() => document.getElementById(name)).then((field) => { if (field && turn === window.lnfRefusals) showRefusal(field, words, alone); });
}
function showRefusal(field, words, alone) {
  const note = make("p", "lnf-refusal", words);
  if (alone) note.setAttribute("role", "alert");
  field.append(note);
  const input = field.querySelector("input, select");
  if (!input) return;
  input.setAttribute("aria-invalid", "true");
  if (!window.lnfBusy || window.lnfBusy !== document.activeElement) input.focus(); // it may come late
  input.addEventListener("input", () => { note.remove(); input.removeAttribute("aria-invalid"); }, { once: true });
}
// Why a file of the visitor's own is not worth sending, or nothing; what is in it the server reads.
const cannotBeRead = ({ name, size }) => !OWN_FILE.endings.some((one) => name.toLowerCase().endsWith(one)) ? OWN_FILE.other : size > OWN_FILE.most ? OWN_FILE.large : "";
const tabOf = () => element.closest('[role="tabpanel"]') || document;
// The address of what is shown, unless something else in its tab was used later and keeps it (inside.js).
const tellPlace = (query) => { if (tabOf().dispatchEvent(new CustomEvent("lnf-address", { cancelable: true }))) goTo(query); };
// Until somebody has done something, the page is opening: what it says and its address are those it was opened with.
// What a link asks for is pressed by the page itself (link.py).
if (!("lnfTouched" in window)) {
  window.lnfTouched = false;
  for (const name of ["pointerdown", "keydown", "click"]) window.addEventListener(name, () => { if (!window.lnfPressing) window.lnfTouched = true; }, true);
  // The field somebody has turned to since they last pressed something: no answer takes the focus from it.
  const turnTo = (event) => { window.lnfBusy = event.target.matches("input, select, textarea") ? event.target : null; };
  for (const name of ["focusin", "input"]) document.addEventListener(name, turnTo, true);
  document.addEventListener("click", (event) => { if (event.target.closest("button")) window.lnfBusy = null; }, true);
  window.addEventListener("popstate", () => openTab(tabIn(location.search)));
  // Gradio says in a corner of the page why it sends no file; here the field says so, and Gradio hears nothing of it.
  for (const name of ["change", "drop"]) document.addEventListener(name, (event) => {
    const file = ((event.dataTransfer || event.target).files || [])[0];
    const why = file && event.target.closest("#midi") && cannotBeRead(file);
    if (!why) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (!event.dataTransfer) event.target.value = "";
    markRefusal("midi", why, true);
  }, true);
  // Paper is white: what is printed is drawn in the light scheme.
  const paper = document.documentElement.classList, scheme = document.body.classList;
  let wasDark = false;
  window.addEventListener("beforeprint", () => { wasDark = scheme.contains("dark"); scheme.remove("dark"); paper.add("lnf-paper"); });
  window.addEventListener("afterprint", () => { scheme.toggle("dark", wasDark); paper.remove("lnf-paper"); });
}
// What is seen says its own line above it, in its tab: when it comes into sight, when it changes in sight, and when asked.
function announces(status) {
  let said = null;
  const tell = () => {
    const seen = element.getClientRects().length > 0, now = seen ? status() : null;
    if (window.lnfTouched && isWhole(now) && now !== said) {
      if (now.query !== undefined) tellPlace(now.query);
      tabOf().dispatchEvent(new CustomEvent("lnf-shown", { detail: now }));
    }
    said = now;
  };
  new ResizeObserver(tell).observe(element);
  watch("value", tell);
  tabOf().addEventListener("lnf-tell", () => { said = null; tell(); });
}
