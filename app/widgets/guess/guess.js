// The rounds and their order are the server's; the guess is sent to it and it says how all have guessed.
const LEAST = 1, MOST = 50, EVERY = 2000, PATIENCE = 300, ALOUD = 10000;
let playing = 0, guessed = null, sending = false, following = 0;
const wanted = askedWhole("round", 0, LEAST, MOST);
const next = () => wanted || LEAST + Math.floor(Math.random() * MOST);
const votes = find(".votes"), tally = find(".tally"), run = find(".run");
const buttons = [0, 1, 2].map((choice) => {
  const button = Object.assign(make("button", "button", "Number " + (choice + 1)), { type: "button" });
  button.addEventListener("click", () => vote(choice));
  votes.append(button);
  return button;
});
votes.prepend(make("span", "", "Bach is"));
run.addEventListener("click", () => {
  if (rests(run)) return;
  const number = playing ? 1 + (playing % MOST) : next();
  rest(run, true);
  guessed = null;
  tell("Drawing two openings …");
  trigger("select", { round: number });
});

// A browser's guesses by their round, kept over a reload: nobody is counted twice. Some browsers forbid it in a frame.
const KEPT = "lnf-guesses";
function guesses() {
  try { return JSON.parse(sessionStorage.getItem(KEPT)) || {}; } catch { return {}; }
}
function keep(guess) {
  try { sessionStorage.setItem(KEPT, JSON.stringify({ ...guesses(), [guess.round]: guess })); } catch { /* then it is forgotten */ }
}

async function vote(choice) {
  if (!playing || guessed || sending) return;
  sending = true;
  const round = playing;
  const answer = await fromServer("vote", { round, choice });
  sending = false;
  if (answer.error) { tell(answer.error); return; }
  const guess = { round, choice, answer: answer.answer };
  keep(guess);
  if (round === playing) reveal(guess, answer.votes);
}
// What was guessed and, once the server has said so, how the others did; played again, what it said last stands.
const tallies = {};
function reveal(guess, counts = tallies[guess.round]) {
  guessed = guess;
  buttons.forEach((button) => rest(button, true));
  run.hidden = false;
  section.dataset.right = String(guess.choice === guess.answer);
  ask(true);
  tell(show(counts));
  follow(counts ? EVERY : 0);
}
// Draws the tally and returns what to say of it.
function show(counts) {
  const { round, choice, answer } = guessed;
  if (counts) tallies[round] = counts;
  const all = counts ? counts.reduce((sum, count) => sum + count, 0) : 0;
  tally.hidden = !all;
  tally.replaceChildren(...(all ? counts : []).map((count, at) => {
    const row = make("li", at === answer ? "right" : ""), bar = make("span");
    bar.style.width = (100 * count) / Math.max(...counts) + "%";
    row.append(make("b", "", "Number " + (at + 1) + (at === answer ? ", Bach" : ", the flow")), bar, make("output", "", count));
    return row;
  }));
  return (choice === answer ? "Yes: number " + (answer + 1) + " is Bach's." : "No: number " + (answer + 1) + " is Bach's, not number " + (choice + 1) + ".") +
    (all ? " " + counts[answer] + " of " + all + (all === 1 ? " guess " : " guesses ") + (counts[answer] === 1 || all === 1 ? "was" : "were") + " right." : "") +
    (round === playing ? "" : " You guessed in round " + round + " before; press Play a round to hear it again.");
}
// The tally grows while others guess: the server is asked as long as it is in sight, though not for ever.
const inSight = () => !document.hidden && section.getClientRects().length > 0;
async function follow(pause) {
  const mine = ++following, on = () => mine === following && guessed && inSight();
  let last = "", heard = performance.now(); // what was told is read aloud; what changes, not each time
  for (let quiet = 0; quiet < PATIENCE && on(); quiet++, pause = EVERY) {
    await new Promise((done) => setTimeout(done, pause));
    if (!on()) return;
    const found = await fromServer("votes", { round: guessed.round });
    if (!on()) return;
    if (!found.votes || String(found.votes) === last) continue;
    last = String(found.votes);
    quiet = 0;
    const words = show(found.votes);
    find(".seen").textContent = words;
    if (performance.now() - heard > ALOUD) { heard = performance.now(); find(".heard").textContent = words; }
  }
}
const goOn = () => { if (guessed && inSight()) follow(0); };
document.addEventListener("visibilitychange", goOn);
new ResizeObserver(goOn).observe(section);

// The question gives hints, so it waits for the guess.
function ask(on) { find(".question").hidden = find("details").hidden = !on; }
// Who opens or plays a round again sees how it went.
function recall(round) {
  const guess = guesses()[round];
  if (guess) reveal(guess);
}
function arrived() {
  const value = props.value, held = document.activeElement === run;
  rest(run, false);
  ask(false);
  if (!isWhole(value)) { tell("Press Play a round."); return; }
  if (value.error) { tell(value.error); return; }
  playing = value.round;
  guessed = null;
  run.textContent = "Another round";
  votes.hidden = false;
  tally.hidden = true;
  buttons.forEach((button) => rest(button, false));
  run.hidden = true; // until it is guessed: a second press would leave the round that the others have
  if (held) buttons[0].focus();
  delete section.dataset.right;
  section.dataset.round = playing;
  remember({ round: playing });
  tell("Round " + playing + ": listen to all three, below, then guess.");
  recall(playing);
}
arrived();
if (wanted) recall(wanted);
opened(wanted ? { round: wanted } : {});
watch("value", arrived);
// The round was not taken: too many wait.
section.addEventListener("lnf-refused", () => { rest(run, false); tell("Too many are waiting just now; please try again in a moment."); });
