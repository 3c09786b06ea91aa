// Tempo and instrument belong to the sound, not to what was drawn: the pieces that are shown are played anew with them.
// Of `place`, beat and whether it plays: where the music was when it was taken away, until it is back.
const tuning = { turn: 0, wait: 0, heard: "", place: null };
const pieces = () => (music() ? music().samples.map((piece) => piece.piece.join("/")).join() : "");
const fields = () => ({ tempo: document.querySelector("#tempo .typed").value, instrument: document.querySelector("#instrument select").value });
async function tune() {
  const wanted = fields(), value = music(), asked = pieces(), turn = ++tuning.turn, heard = () => Object.values(wanted) + pieces();
  if (!asked) return;
  markRefusal();
  if (heard() === tuning.heard) return; // leaving a field says its value once more
  const answer = await fromServer("tuned", { ...wanted, checkpoint: value.status.checkpoint, pieces: value.samples.map((piece) => [...piece.piece, piece.steps]) });
  if (turn !== tuning.turn || asked !== pieces()) return; // another setting, or another sample, has come meanwhile
  if (answer.error) {
    if (answer.field) markRefusal(answer.field, answer.error);
    else find(".sound").textContent = answer.error;
    return;
  }
  const longer = answer.seconds_per_beat / value.seconds_per_beat;
  const samples = value.samples.map((piece, at) => ({ ...piece, ...answer.samples[at], midi: { ...piece.midi, url: addressOf(answer.samples[at].midi) } }));
  const query = new URLSearchParams(value.status.query || "");
  for (const [name, text] of Object.entries(wanted)) query.set(name, text);
  const status = { ...value.status, tuned: true, ...(value.status.query && { query: query.toString() }) };
  if (audio.getAttribute("src")) tuning.place = { beat: audio.currentTime / value.seconds_per_beat, playing: !audio.paused };
  props.value = { ...value, tuned: true, seconds_per_beat: answer.seconds_per_beat, given: value.given * longer, samples, status };
  tuning.heard = heard();
  tabOf().dispatchEvent(new CustomEvent("lnf-shown", { detail: status })); // the link is another
  await goOn();
}
async function goOn() {
  const here = pieces();
  show(index);
  if (!(await prepare()) || here !== pieces() || !tuning.place) return;
  const { beat, playing } = tuning.place;
  tuning.place = null;
  seek(beat * music().seconds_per_beat);
  if (playing) await audio.play().catch(() => {});
}
find(".play").addEventListener("click", () => {
  if (!audio.getAttribute("src")) tuning.place = { beat: 0, ...tuning.place, playing: !(tuning.place && tuning.place.playing) };
});
find("audio").addEventListener("play", () => { tuning.place = null; });
for (const name of ["input", "change"])
  document.addEventListener(name, (event) => {
    if (!event.target.closest("#tempo, #instrument")) return;
    clearTimeout(tuning.wait);
    tuning.wait = setTimeout(tune, 300); // not for every value a slider passes
  });
// What was set while a sample was being drawn is heard on it.
watch("value", () => {
  const value = music();
  if (!value || value.tuned || value.opening || !value.status.query) return;
  const drawn = new URLSearchParams(value.status.query), { tempo, instrument } = fields();
  if (Number(drawn.get("tempo")) !== Number(tempo) || drawn.get("instrument") !== instrument) tune();
});
