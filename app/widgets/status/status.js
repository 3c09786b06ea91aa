// Says what was done, offers its seed and its link, and keeps the address of the page in step with it.
let drawn = false, shown = null; // drawn: what the page opens with, if anything
// What is shown may be another model's than the one that is chosen by now.
function say(before) {
  const chosen = window.lnfChosen, other = shown.checkpoint && chosen && chosen.name !== shown.checkpoint;
  const verb = chosen && chosen.domain === "music" ? "hear" : "read";
  const cannot = other && (shown.cannot || {})[chosen.variant];
  const press = other && "Press " + (shown.button || "Sample") + " to " + verb + " " + chosen.dataset_title + ", " + chosen.plain.toLowerCase() + ".";
  find(".words").textContent = [before, shown.text, cannot || press || shown.more].filter(Boolean).join(" ");
}
document.addEventListener("lnf-chosen", () => { if (shown && shown.checkpoint) say(); });
// Whether the page can be scrolled until this line is at the top.
const hasRoom = () => document.documentElement.scrollHeight - scrollY - element.getBoundingClientRect().top >= innerHeight;
function draw(value) {
  if (!isWhole(value)) return;
  const news = !shown || shown.text !== value.text || shown.query !== value.query; // or it came into sight again
  shown = value;
  const done = value.kind === "done";
  say();
  find(".status").classList.toggle("bad", value.kind === "error");
  find(".copy").hidden = !done;
  find(".reuse").hidden = !done || value.seed === undefined;
  find(".copy").textContent = value.without ? "Copy link, without your file" : "Copy link";
  // The address is that of what is shown, where it is in sight. While the page opens it may be a link still to be followed.
  if (!element.getClientRects().length) { /* its tab says so when it comes into sight */ }
  else if (done) tellPlace(value.query);
  else if (drawn && value.kind === "opening") goTo(value.query || "");
  // A link may have been refused before this script ran; what the page opens with takes no refusal of others back.
  if (drawn || value.kind === "error") markRefusal(value.kind === "error" && value.field, value.text);
  if (done && drawn && news && !value.tuned && window.innerWidth <= 700) bringUp();
}
// To the top of a phone's screen, once the picture below has a height, since before the page may end here; and there again
// when what stands above grows or shrinks on the way. Whoever does anything, or is taken elsewhere by a reader of screens,
// which does it without a touch or a key, is left where they are.
let leave = () => {};
function bringUp() {
  leave();
  const line = find(".status"), whole = new ResizeObserver(go), over = new AbortController();
  const until = setTimeout(() => { if (!hasRoom()) scroll(); leave(); }, 10000);
  let ours = false, wasThere = false, rest = 0; // `scrollend` is not in every browser
  leave = () => { whole.disconnect(); over.abort(); clearTimeout(until); clearTimeout(rest); };
  const isThere = () => Math.abs(line.getBoundingClientRect().top) <= 1;
  function scroll() { ours = true; line.scrollIntoView({ block: "start", behavior: pace() }); }
  function go() { if (hasRoom() && !isThere()) scroll(); }
  for (const name of ["wheel", "touchmove", "pointerdown", "keydown"]) window.addEventListener(name, () => leave(), { signal: over.signal, passive: true });
  function atRest() {
    if (isThere()) wasThere = true;
    else if (ours) go();
    else if (wasThere) leave();
    ours = ours && !isThere();
  }
  document.addEventListener("scroll", () => { clearTimeout(rest); rest = setTimeout(atRest, 150); }, { signal: over.signal });
  whole.observe(document.body);
}

find(".copy").addEventListener("click", async (event) => {
  const button = event.currentTarget;
  const link = location.origin + address(shown.query);
  try {
    await navigator.clipboard.writeText(link);
    button.textContent = "Link copied";
  } catch {
    window.prompt("The link to this sample:", link); // pages without https may not use the clipboard
  }
});
find(".reuse").addEventListener("click", () => trigger("select", { seed: shown.seed }));

draw(props.value);
drawn = true;
watch("value", () => draw(props.value));
tabOf().addEventListener("lnf-shown", (event) => {
  // What was said of a link is not taken back by the picture that the link itself brought into sight.
  if (shown && shown.kind === "error" && shown.domain === event.detail.domain) return;
  draw(event.detail);
});
// Nothing came: what stands there, line, picture and address, is still of one sample. Said once the server knows, since a
// press of Sample before that would be lost, and once its last word on what was cancelled is here, which Gradio would take
// for the end of the next.
const LAST_WORD = 300; // milliseconds
const isAwaited = () => document.querySelector("#status .pending");
element.addEventListener("lnf-cancelling", async () => {
  const before = shown;
  if (!isAwaited()) return; // it came in this moment
  find(".words").textContent = "Cancelling …";
  await whenThere(() => !isAwaited());
  await new Promise((done) => setTimeout(done, LAST_WORD));
  if (shown !== before) return; // it came all the same
  tabOf().dispatchEvent(new CustomEvent("lnf-tell")); // the page may have followed a link to another data set without a word
  document.querySelector("#sample-button").focus();
  if (!shown) return;
  goTo(shown.query || "");
  say("Cancelled.");
});
