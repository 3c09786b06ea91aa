// Tempo and instrument belong to the sound, not to what was drawn: the pieces that are shown are played anew with them.
const tuning = { turn: 0, wait: 0, heard: "" };
const pieces = () => (music() ? music().samples.map((piece) => piece.piece.join("/")).join() : "");
async function tune() {
  const read = (selector) => document.querySelector(selector).value;
  const wanted = { tempo: read("#tempo .typed"), instrument: read("#instrument select") };
  const value = music(), asked = pieces(), heard = () => Object.values(wanted) + pieces();
  if (!asked || heard() === tuning.heard) return; // leaving a field says its value once more
  const turn = ++tuning.turn;
  const answer = await fromServer("tuned", { ...wanted, checkpoint: value.status.checkpoint, pieces: value.samples.map((piece) => [...piece.piece, piece.steps]) });
  if (turn !== tuning.turn || asked !== pieces()) return; // another setting, or another sample, has come meanwhile
  if (answer.error) { find(".sound").textContent = answer.error; return; }
  const longer = answer.seconds_per_beat / value.seconds_per_beat;
  const samples = value.samples.map((piece, at) => ({ ...piece, ...answer.samples[at], midi: { ...piece.midi, url: addressOf(answer.samples[at].midi) } }));
  const query = new URLSearchParams(value.status.query || "");
  for (const [name, text] of Object.entries(wanted)) query.set(name, text);
  const status = { ...value.status, tuned: true, ...(value.status.query && { query: query.toString() }) };
  props.value = { ...value, tuned: true, seconds_per_beat: answer.seconds_per_beat, given: value.given * longer, samples, status };
  tuning.heard = heard();
  tabOf().dispatchEvent(new CustomEvent("lnf-shown", { detail: status })); // the link is another
  await goOn(audio.currentTime / value.seconds_per_beat, !audio.paused);
}
async function goOn(beat, playing) {
  const here = pieces();
  show(index);
  if (!(await prepare()) || here !== pieces()) return;
  seek(beat * music().seconds_per_beat);
  if (playing) await audio.play().catch(() => {});
}
for (const name of ["input", "change"])
  document.addEventListener(name, (event) => {
    if (!event.target.closest("#tempo, #instrument")) return;
    clearTimeout(tuning.wait);
    tuning.wait = setTimeout(tune, 300); // not for every value a slider passes
  });
