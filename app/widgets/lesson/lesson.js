// The row of buttons: one lesson is shown at a time, and the address says which one and in what state.
const steps = find("nav"), list = find("ol"), count = props.titles.length;
const lessonAt = (number) => document.getElementById("lesson-" + number);
const sectionAt = (number) => lessonAt(number) && lessonAt(number).querySelector(".lesson");
const query = new URLSearchParams(location.search);
const wanted = (query.get("tab") === "learn" && query.get("lesson")) || "1";
const known = /^[1-9][0-9]?$/.test(wanted) && wanted <= count;
let current = known ? Number(wanted) : 1, writing = 0;
let none = known ? "" : "There is no lesson “" + wanted.slice(0, 40) + "” on this page; it has 1 to " + count + ". This is the first.";

const buttons = props.titles.map((title, at) => {
  const item = make("li"), button = Object.assign(make("button", "step"), { type: "button" });
  const number = make("span", "number", at + 1);
  button.append(number, make("span", "words", title));
  button.addEventListener("click", () => go(at + 1));
  item.append(button);
  list.append(item);
  return button;
});

function show() {
  buttons.forEach((button, at) => {
    if (at + 1 === current) button.setAttribute("aria-current", "step"); else button.removeAttribute("aria-current");
  });
  for (let number = 1; number <= count; number++) {
    const lesson = lessonAt(number);
    if (lesson) lesson.classList.toggle("lnf-folded", number !== current);
  }
  complain();
}
// What the link asks for in vain: a lesson, or a setting of the one that is shown.
function complain() {
  const section = sectionAt(current), problem = find(".problem");
  problem.textContent = none || (section && section.dataset.problem) || "";
  problem.hidden = !problem.textContent;
}
// The address is that of what is seen; browsers allow a few changes of it a second.
function write() {
  clearTimeout(writing);
  writing = setTimeout(() => {
    if (!steps.getClientRects().length) return;
    const section = sectionAt(current);
    if (!section || section.dataset.link === undefined) return; // it has not read its link yet, and will say when
    const values = new URLSearchParams({ tab: "learn", lesson: current });
    for (const [name, value] of new URLSearchParams(section.dataset.link)) values.set(name, value);
    goTo(values);
  }, 250);
}
function go(number) {
  current = Math.min(count, Math.max(1, number));
  none = "";
  show();
  write();
}
// Arrow keys move along the row, as in a row of tabs; Tab goes on to the lesson.
list.addEventListener("keydown", (event) => {
  const at = buttons.indexOf(document.activeElement);
  const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: count - 1 }[event.key];
  if (at < 0 || to === undefined) return;
  event.preventDefault();
  buttons[(to + count) % count].focus();
  go(((to + count) % count) + 1);
});
document.addEventListener("lnf-lesson-moved", (event) => { if (event.detail === current) { complain(); write(); } });
new ResizeObserver(() => { show(); write(); }).observe(steps);
show();
