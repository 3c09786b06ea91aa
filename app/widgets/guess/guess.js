// The rounds and their order are the server's; the guess is sent to it and it says how all have guessed.
const LEAST = 1, MOST = 50;
let playing = 0, answered = false;
const wanted = Math.round(askedNumber("round", 0, LEAST, MOST));
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
  const number = playing ? 1 + (playing % MOST) : next();
  run.disabled = true;
  tell("Drawing two openings …");
  trigger("select", { round: number });
});
async function vote(choice) {
  if (!playing || answered) return;
  answered = true;
  let answer;
  try { answer = await server.vote({ round: playing, choice }); }
  catch { answer = { error: "The server did not answer; please try again." }; }
  if (answer.error) { answered = false; tell(answer.error); return; }
  buttons.forEach((button) => { button.disabled = true; });
  const most = Math.max(...answer.votes), all = answer.votes.reduce((sum, count) => sum + count, 0);
  tally.hidden = false;
  tally.replaceChildren(...answer.votes.map((count, at) => {
    const row = make("li", at === answer.answer ? "right" : ""), bar = make("span");
    bar.style.width = (100 * count) / most + "%";
    row.append(make("b", "", "Number " + (at + 1) + (at === answer.answer ? ", Bach" : ", the flow")), bar, make("output", "", count));
    return row;
  }));
  const right = choice === answer.answer;
  tell((right ? "Yes: " : "No: ") + "number " + (answer.answer + 1) + " is Bach's. " + answer.votes[answer.answer] + " of " + all + (all === 1 ? " guess was" : " guesses were") + " right.");
  section.dataset.right = String(right);
  ask(true);
}
// The question gives hints, so it waits for the guess.
function ask(on) { find(".question").hidden = find("details").hidden = !on; }
function arrived() {
  const value = props.value;
  run.disabled = false;
  ask(false);
  if (!isWhole(value)) { tell("Press Play a round."); return; }
  if (value.error) { tell(value.error); return; }
  playing = value.round;
  answered = false;
  run.textContent = "Another round";
  votes.hidden = false;
  tally.hidden = true;
  buttons.forEach((button) => { button.disabled = false; });
  delete section.dataset.right;
  section.dataset.round = playing;
  remember({ round: playing });
  tell("Round " + playing + ": listen to all three, then guess.");
}
arrived();
opened(wanted ? { round: wanted } : {});
watch("value", arrived);
