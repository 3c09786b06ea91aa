// A widget that looks into one sequence holds its own place (model, seed, step, text); the server answers what stands there.
const linked = new URLSearchParams(location.search);
const USUAL = { seed: 1, step: 10, text: "", midi: "" };
const place = { checkpoint: null, ...USUAL };
const stepInput = find(".step");
let shown = null, stands = null; // stands: the place that is shown

// What the page could not follow of its link stands before what is shown instead, until somebody has done something.
let complaint = "";
const complain = (words) => { complaint = [complaint, words].filter(Boolean).join(" "); };
function say(words, bad) {
  if (window.lnfTouched) complaint = "";
  find(".said").textContent = [complaint, words].filter(Boolean).join(" ");
  find(".said").classList.toggle("bad", Boolean(bad || complaint));
}
// Which sequence of which model; another step of it is there in a moment.
const WHOSE = ["checkpoint", "seed", "text", "midi"];
const differs = (one, two) => WHOSE.some((name) => one[name] !== two[name]);
const isNew = (wanted) => !stands || differs(wanted, stands);
// Of a link that cannot be followed the rest is: whether there is something else to ask for.
function fallsBack(answer, wanted) {
  if (stands || !(answer.field in USUAL) || wanted[answer.field] === USUAL[answer.field]) return false;
  complain(answer.error);
  place[answer.field] = USUAL[answer.field];
  return true;
}
// What cannot be read is let go of, so that the sequence still shown can be moved along. The model is the page's choice.
function refuse(answer, wanted) {
  const still = stands && isNew(wanted);
  find(".details").textContent = details;
  say(answer.error + (still ? " Still shown: " + shown.title + ", " + whose() + "." : ""), true);
  if (!still) return;
  if (!differs(wanted, place) && dataset(wanted) === dataset(stands)) for (const name of ["seed", "text", "midi"]) place[name] = stands[name];
  if (element.getClientRects().length) find(".said").scrollIntoView({ block: "nearest" });
}
const dataset = (at) => at.checkpoint.split("/")[0];
const whose = () => (stands.text ? "your text" : stands.midi ? "your music" : "seed " + shown.seed);
const counted = (number, unit) => number + " " + unit + (number === 1 ? "" : "s");
const spaced = (name) => (name === " " ? "space" : name);

// What both say of an answer: title, whose sequence it is, and the steps there are.
let details = "";
function introduce(answer, wanted, more) {
  const there = answer.names.length;
  if (!stands && wanted.step !== USUAL.step && wanted.step > there) complain("The step is " + wanted.step + "; this sequence has " + counted(there, "step") + ", and this is its last.");
  // Where the hand has moved on meanwhile, its step is the one to be asked for next.
  place.step = place.step === wanted.step ? answer.step : Math.min(place.step, answer.names.length);
  stands = wanted;
  stepInput.max = answer.names.length;
  stepInput.value = place.step;
  find(".title").replaceChildren(...marked(answer.variant, answer.marker, " " + answer.title));
  find(".details").textContent = details = whose() + (stands.midi ? " (no link can hold it)" : "") + more + ", computed in " + answer.milliseconds + " ms";
  find(".typed").hidden = answer.domain !== "text";
  find(".bring").hidden = answer.domain !== "music";
}

// A link is followed, and another model taken up, once somebody can see it. `load` asks for a new sequence, `back` is
// called when the one at hand comes into sight again (true) or changes its size. `load` is told whether somebody chose it.
function follow(tab, load, back) {
  let begun = false, seen = false, followed = false; // followed: the link, as far as it can be; models are somebody's choice from then on
  const fresh = (change) => { change(); if (place.checkpoint) load(true); else begin(); }; // pressed before a link is read
  find(".another").addEventListener("click", () => fresh(() => { place.seed = Math.floor(Math.random() * 100000); place.text = place.midi = ""; }));
  let brought = 0;
  find(".bring input").addEventListener("change", async (event) => {
    const file = event.target.files[0];
    event.target.value = ""; // the same file may be chosen again
    if (!file) return;
    const why = cannotBeRead(file), turn = ++brought;
    if (why) {
      say(why, true);
      await whenThere(() => !find("[aria-busy]")); // what is on its way has words of its own, which would stand in their place
      if (turn === brought) say(why, true);
      return;
    }
    wait("Reading " + file.name + " …");
    try {
      const { path } = await upload(file);
      fresh(() => { place.midi = path; });
    } catch (error) { find(".details").textContent = details; say("The file did not reach the server; please try again.", true); }
  });
  find(".typed").addEventListener("submit", (event) => {
    event.preventDefault();
    fresh(() => { place.text = find(".typed input").value; });
  });
  const mine = linked.get("tab") === tab;
  const begin = () => {
    const before = seen;
    seen = element.getClientRects().length > 0;
    if (!seen) return;
    if (!begun && mine) {
      for (const name of ["seed", "step"]) if (linked.get(name)) place[name] = linked.get(name);
      place.text = find(".typed input").value = linked.get("text") || "";
    }
    begun = true;
    // The page opens with a model of its own before it takes up that of the link, if it can.
    const named = mine && linked.get("dataset") && linked.get("dataset") + "/" + (linked.get("variant") || "");
    const there = !named || props.value === named || (named.endsWith("/") && props.value.startsWith(named));
    const refused = named && window.lnfRead && window.lnfRead.problem;
    if (!there && !refused && !window.lnfTouched) { if (!shown) say("Following the link …"); return; }
    if (!there && refused && !shown) complaint = refused;
    const chosen = followed;
    followed = followed || there || Boolean(refused);
    if (props.value && props.value !== place.checkpoint) {
      if (place.checkpoint && place.checkpoint.split("/")[0] !== props.value.split("/")[0]) { place.step = USUAL.step; place.text = place.midi = ""; }
      place.checkpoint = props.value;
      load(chosen);
    } else if (shown) back(!before);
  };
  new ResizeObserver(begin).observe(element);
  watch("value", begin);
  document.documentElement.addEventListener("lnf-read", begin);
  begin();
}
