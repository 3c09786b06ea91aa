// How the music came about, shown again on the roll: one step after another, or all at once. A new sample appears the
// same way, as fast as it was drawn; "Watch it being drawn" slows that down by a factor that it names.
const SLOWER = 50, LONGEST = 15; // times; seconds
const reveal = { frame: 0, seconds: Infinity, said: "" };
const drawnIn = () => (music() && music().status.seconds) || 0; // 0: nobody knows
const atOnce = () => music() && music().status.dependent_steps === 1;

function stopReveal() {
  cancelAnimationFrame(reveal.frame);
  Object.assign(reveal, { frame: 0, seconds: Infinity, said: "" });
}
// `factor` times as long as the drawing took.
function startReveal(factor, words) {
  stopReveal();
  const piece = sample(), took = drawnIn() * factor, from = music().given || 0;
  if (!piece || !took || (!words && isStill())) return; // unless it was asked for
  const began = performance.now(), steps = piece.steps, each = piece.seconds / steps;
  const first = Math.round(from / each);
  const tick = (now) => {
    const part = Math.min(1, (now - began) / 1000 / took);
    const step = atOnce() ? (part < 1 ? first : steps) : first + Math.floor(part * (steps - first));
    reveal.seconds = part < 1 ? step * each : Infinity;
    if (words) reveal.said = atOnce() ? "all " + (steps - first) + " steps are computed at once …" : "step " + Math.min(steps, step + 1) + " of " + steps + " is made from those before it";
    find(".sound").textContent = part < 1 && words ? reveal.said + ", " + words : words ? wordsAfter(words) : find(".sound").textContent;
    if (words && atOnce() && part < 1) scroll.scrollLeft = 0;
    else if (words && reveal.seconds < Infinity) scroll.scrollLeft = Math.max(0, reveal.seconds * view.scale - view.width * 0.9);
    draw();
    reveal.frame = part < 1 ? requestAnimationFrame(tick) : 0;
  };
  reveal.frame = requestAnimationFrame(tick);
}
const wordsAfter = (words) => (atOnce() ? "all at once" : "one step after another") + ", " + words;
function watchDrawing() {
  audio.pause();
  const factor = Math.min(SLOWER, LONGEST / drawnIn());
  startReveal(factor, Math.round(factor) + " times slower than it was");
}
