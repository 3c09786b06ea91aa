const NAMES = ["C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B"];
const noteName = (pitch) => NAMES[pitch % 12] + (Math.floor(pitch / 12) - 1);
const isBlack = (pitch) => [1, 3, 6, 8, 10].includes(pitch % 12);
const clock = (seconds) => Math.floor(seconds / 60) + ":" + String(Math.floor(seconds % 60)).padStart(2, "0");
const RULER = 20; // pixels above the keys, for the beats
const LEAST_BEAT = 17; // pixels; a longer piece scrolls

const audio = find("audio"), scroll = find(".scroll"), space = find(".space"), tip = find(".tip");
const notes = find(".notes"), keys = find(".keys"), play = find(".play");
let index = 0, frame = 0;
const view = { low: 48, high: 84, scale: 1, width: 0, height: 0 };
const music = () => (isWhole(props.value) ? props.value : null);
const sample = () => (music() ? music().samples[index] : null);

// Geometry ----------------------------------------------------------------------------------------------------------

function measure() {
  const pitches = music() ? music().samples.flatMap((item) => unpacked(item.notes).map((note) => note[2])) : [];
  view.low = pitches.length ? Math.min(...pitches) - 2 : 48;
  view.high = pitches.length ? Math.max(...pitches) + 2 : 84;
  while (view.high - view.low < 23) { view.low -= 1; view.high += 1; }
  view.width = scroll.clientWidth;
  view.height = scroll.clientHeight;
  const seconds = sample() ? sample().seconds : 1;
  const least = sample() ? (seconds / music().seconds_per_beat) * LEAST_BEAT : 0;
  const total = Math.max(view.width, Math.round(least));
  view.scale = total / seconds;
  space.style.width = total + "px";
  for (const [canvas, width] of [[notes, view.width], [keys, keys.offsetWidth]]) {
    const ratio = window.devicePixelRatio || 1;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(view.height * ratio);
    canvas.getContext("2d").setTransform(ratio, 0, 0, ratio, 0, 0);
  }
  notes.style.width = view.width + "px";
}
const rowHeight = (height) => (height - RULER) / (view.high - view.low + 1);
const rowTop = (pitch, height) => RULER + (view.high - pitch) * rowHeight(height);

// Drawing -----------------------------------------------------------------------------------------------------------

function palette() {
  const style = getComputedStyle(element);
  const read = (name) => style.getPropertyValue("--lnf-" + name).trim();
  return { ink: read("ink"), soft: read("soft"), line: read("line"), faint: read("faint"), card: read("card"),
    roll: read("roll"), black: read("black-key"), notes: variantColour(music() ? music().variant : "ink"), sans: read("sans") };
}
// Bass, tenor, alto, soprano by where they sing: the same colour, from dark to light in both schemes, with a rim so that
// all can be seen.
const REGISTERS = [52, 60, 67];
const shadeOf = (pitch) => REGISTERS.filter((limit) => pitch >= limit).length;
const SHADES = [["65%", "#14171c"], ["100%", "#14171c"], ["72%", "#fffdf9"], ["42%", "#fffdf9"]];
const shaded = (colours, pitch) => "color-mix(in srgb, " + [colours.notes + " " + SHADES[shadeOf(pitch)][0], SHADES[shadeOf(pitch)][1]].join(", ") + ")";
const soundsAt = (note, now) => note[0] <= now + 1e-3 && now < note[0] + note[1] - 1e-3;

function drawNotes(context, colours, width, height, left, scale, now) {
  context.fillStyle = colours.roll;
  context.fillRect(0, 0, width, height);
  const row = rowHeight(height);
  for (let pitch = view.low; pitch <= view.high; pitch++) {
    context.fillStyle = colours.black;
    if (isBlack(pitch)) context.fillRect(0, rowTop(pitch, height), width, row);
    context.fillStyle = colours.line;
    if (pitch % 12 === 0) context.fillRect(0, rowTop(pitch, height) + row - 0.5, width, 1);
  }
  if (!sample()) return;
  const beat = music().seconds_per_beat * scale;
  context.font = "11px " + colours.sans;
  context.textBaseline = "middle";
  const every = beat * 4 < 28 ? 8 : 4;
  for (let number = Math.floor(left / beat); number * beat <= left + width; number++) {
    const x = number * beat - left, strong = number % every === 0;
    context.fillStyle = strong ? colours.line : colours.faint;
    if (strong || beat > 9) context.fillRect(x, strong ? 0 : RULER, 1, height);
    context.fillStyle = colours.soft;
    if (strong) context.fillText(number === 0 ? "beat 1" : number + 1, x + 5, RULER / 2);
  }
  if (music().given) {
    const x = music().given * scale - left;
    context.fillStyle = colours.soft;
    context.globalAlpha = 0.12;
    context.fillRect(0, RULER, Math.max(0, x), height);
    context.globalAlpha = 1;
    context.fillRect(x - 1, 0, 2, height);
    const words = "the model goes on", wide = context.measureText(words).width; // on the other side where it would be cut off
    context.fillText(words, x + 5 + wide > width ? x - 5 - wide : x + 5, height - 10);
  }
  for (const note of unpacked(sample().notes)) {
    if (note[0] >= reveal.seconds - 1e-6) continue;
    const x = note[0] * scale - left, w = Math.min(note[1], reveal.seconds - note[0]) * scale;
    if (x + w < 0 || x > width) continue;
    const sounding = now !== null && soundsAt(note, now);
    context.fillStyle = sounding ? colours.ink : shaded(colours, note[2]);
    context.strokeStyle = sounding ? colours.ink : colours.notes;
    context.beginPath();
    context.roundRect(x + 0.5, rowTop(note[2], height) + 0.5, Math.max(2, w - 1.5), Math.max(2, row - 1), Math.min(3, row / 2));
    context.fill();
    context.stroke();
  }
}

function drawKeys(context, colours, width, height, now) {
  context.fillStyle = colours.card;
  context.fillRect(0, 0, width, height);
  const row = rowHeight(height);
  const sounding = new Set(sample() && now !== null ? unpacked(sample().notes).filter((note) => soundsAt(note, now)).map((note) => note[2]) : []);
  context.font = "11px " + colours.sans;
  context.textBaseline = "middle";
  for (let pitch = view.low; pitch <= view.high; pitch++) {
    const top = rowTop(pitch, height);
    const on = sounding.has(pitch);
    context.fillStyle = on ? colours.notes : isBlack(pitch) ? colours.soft : colours.card;
    context.fillRect(0, top + (isBlack(pitch) ? 0.5 : 0), isBlack(pitch) && !on ? width * 0.45 : width, row - (isBlack(pitch) ? 1 : 0));
    context.fillStyle = colours.line;
    if (pitch % 12 === 0 || pitch % 12 === 5) context.fillRect(0, top + row - 0.5, width, 1);
  }
  // Names last, so that no neighbouring key is drawn over them.
  context.textAlign = "right";
  for (let pitch = view.low; pitch <= view.high; pitch++) {
    if (pitch % 12) continue;
    context.fillStyle = sounding.has(pitch) && row > 9 ? colours.card : colours.ink; // a low key is lower than its name
    context.fillText(noteName(pitch), width - 4, rowTop(pitch, height) + row / 2);
  }
  context.textAlign = "left";
  context.fillStyle = colours.line;
  context.fillRect(width - 1, 0, 1, height);
}

function draw() {
  if (!view.width) return;
  const colours = palette(), left = scroll.scrollLeft;
  const started = !audio.paused || audio.currentTime > 0;
  const now = sample() && started ? Math.min(audio.currentTime, sample().seconds) : null;
  const context = notes.getContext("2d");
  drawNotes(context, colours, view.width, view.height, left, view.scale, now);
  if (sample()) {
    const x = (now || 0) * view.scale - left;
    context.fillStyle = colours.ink;
    context.fillRect(x, 0, 2, view.height);
    context.beginPath();
    context.moveTo(x - 5, 0); context.lineTo(x + 7, 0); context.lineTo(x + 1, 8);
    context.fill();
  }
  drawKeys(keys.getContext("2d"), colours, keys.offsetWidth, view.height, now);
}

// Sound -------------------------------------------------------------------------------------------------------------

function tell() {
  const piece = sample();
  const now = piece ? Math.min(audio.currentTime, piece.seconds) : 0;
  find(".time").textContent = clock(now) + " / " + clock(piece ? piece.seconds : 0);
  notes.setAttribute("aria-valuenow", now.toFixed(1));
  const sounding = piece ? unpacked(piece.notes).filter((note) => soundsAt(note, now)).map((note) => noteName(note[2])) : [];
  notes.setAttribute("aria-valuetext", now.toFixed(1) + " seconds, " + (sounding.length ? "sounding " + sounding.join(" ") : "silence"));
  play.textContent = audio.paused ? "Play" : "Pause";
}

function follow() {
  const x = audio.currentTime * view.scale;
  if (x < scroll.scrollLeft || x > scroll.scrollLeft + view.width * 0.9) scroll.scrollLeft = x - view.width * 0.1;
}

function tick() {
  follow(); draw(); tell();
  frame = audio.paused ? 0 : requestAnimationFrame(tick);
}

function seek(seconds) {
  if (!sample()) return;
  audio.currentTime = Math.max(0, Math.min(sample().seconds - 0.01, seconds));
  follow(); draw(); tell();
}

// Sound may come late: by then nobody may see this player, or another one may play.
const mayPlay = () => scroll.clientWidth > 0 && window.lnfPlaying === audio;
const toggle = async () => {
  if (!sample()) return;
  if (!audio.paused) return audio.pause();
  // One player at a time on the whole page, whichever one a widget left behind.
  if (window.lnfPlaying && window.lnfPlaying !== audio) window.lnfPlaying.pause();
  window.lnfPlaying = audio;
  const ready = prepare();
  if (waiting) find(".sound").textContent = "Preparing sound, which then plays …";
  if (!(await ready) || !mayPlay()) return;
  audio.play().catch(() => { find(".note").hidden = false; find(".note").textContent = "This browser could not play the sound; the WAV can still be downloaded."; });
};

// Sound is made when it is wanted: for the piece at hand, and only once.
const addressOf = (path) => { const url = sample().midi.url; return url.slice(0, url.indexOf("file=") + 5) + path; };
let waiting = null;
const sounds = new WeakMap(); // addresses of what was made
async function ask(kind, piece = sample()) {
  const answer = await fromServer("sound", { piece: piece.piece, kind });
  if (answer.error) throw new Error(answer.error);
  return addressOf(answer.path);
}
function prepare() {
  const piece = sample();
  if (audio.getAttribute("src")) return Promise.resolve(true);
  if (waiting && waiting.piece === piece) return waiting.promise;
  const began = performance.now();
  find(".sound").textContent = "Preparing sound …";
  const promise = Promise.resolve(sounds.get(piece) || ask("flac")).then((url) => {
    sounds.set(piece, url);
    if (piece !== sample()) return false;
    audio.src = url;
    audio.load();
    find(".sound").textContent = "sound made in " + ((performance.now() - began) / 1000).toFixed(1) + " s";
    return true;
  }).catch((error) => {
    if (piece === sample()) find(".sound").textContent = error.message;
    return false;
  }).finally(() => { waiting = null; });
  waiting = { piece, promise };
  return promise;
}

// Samples -----------------------------------------------------------------------------------------------------------

function tabs() {
  const samples = music() ? music().samples : [];
  find(".tabs").hidden = samples.length < 2 || Boolean(music().way);
  find(".tabs").replaceChildren(...samples.map((_, at) => {
    const button = make("button", "", at + 1);
    button.type = "button";
    button.setAttribute("aria-pressed", String(at === index));
    button.setAttribute("aria-label", "Sample " + (at + 1));
    button.addEventListener("click", () => { show(at); find(".tabs").children[at].focus(); });
    return button;
  }));
}

function link(selector, file) {
  const anchor = find(selector);
  anchor.hidden = !file;
  if (file) { anchor.href = file.url; anchor.download = file.orig_name; }
}

const beats = (piece) => { const number = Math.round((2 * piece.seconds) / music().seconds_per_beat) / 2; return number + (number === 1 ? " beat" : " beats"); };
function show(at) {
  index = at;
  stopReveal();
  const value = music(), piece = sample();
  find(".way").hidden = !(value && value.way);
  find(".way input").value = at;
  find(".way input").setAttribute("aria-valuetext", "stop " + (at + 1) + " of " + (value ? value.samples.length : 1));
  audio.pause();
  audio.removeAttribute("src");
  audio.load(); // forgets the old sound
  play.disabled = find(".png").disabled = find(".wav").disabled = !piece;
  find(".sound").textContent = "";
  find(".watch").hidden = !drawnIn();
  link(".midi", piece && piece.midi);
  find(".title").replaceChildren(...(value ? marked(value.variant, value.marker, " " + value.title) : ["Nothing sampled yet"]));
  find(".details").textContent = value && piece ? (value.opening ? "ready-made, " : "") + value.details + ", " + beats(piece) : "";
  find(".habits").textContent = piece ? piece.habits + " " + value.data_habits : "";
  find(".caption").textContent = value ? value.caption : "Press Sample and the music appears here.";
  find(".note").hidden = !(value && value.note);
  find(".note").textContent = value ? value.note : "";
  notes.setAttribute("aria-valuemax", piece ? piece.seconds.toFixed(1) : "0");
  scroll.scrollLeft = 0;
  tabs(); measure(); draw(); tell();
  if (piece && !document.hidden && view.width) prepare();
}

// From one piece to another: the stops follow each other under one hand, and the music goes on from where it is.
async function drag(at) {
  if (at === index || !music()) return;
  const now = audio.currentTime, playing = !audio.paused || drag.playing;
  drag.playing = playing;
  show(at);
  const ready = await prepare();
  if (at !== index || !ready) return;
  audio.currentTime = now;
  draw(); tell();
  if (playing && mayPlay()) await audio.play().catch(() => {});
  if (at === index) drag.playing = false;
}
// All stops are made ready, so that dragging need not wait.
async function prepareAll() {
  const value = music();
  for (const piece of value.samples) {
    if (value !== music()) return;
    if (!sounds.has(piece)) sounds.set(piece, await ask("flac", piece).catch(() => null));
  }
}

async function saveSound() {
  const button = find(".wav");
  button.disabled = true;
  try {
    const anchor = make("a");
    anchor.href = await ask("wav");
    anchor.download = sample().midi.orig_name.replace(/\.mid$/, ".wav");
    anchor.click();
  } catch (error) { find(".sound").textContent = error.message; }
  button.disabled = false;
}

function savePicture() {
  stopReveal();
  const value = music(), piece = sample(), height = 420, side = 46, head = 34;
  const layer = (w) => Object.assign(document.createElement("canvas"), { width: w, height });
  const page = layer(1), colours = palette(), context = page.getContext("2d");
  const font = "15px " + colours.sans, words = value.marker + " " + value.title + ", " + value.details;
  context.font = font;
  const least = Math.max(640, Math.ceil(context.measureText(words).width) + 24 - side); // room for the words above
  const width = Math.max(least, Math.min(6000, Math.round((piece.seconds / value.seconds_per_beat) * 26)));
  Object.assign(page, { width: width + side, height: height + head }); // which forgets the font
  const left = layer(side), right = layer(width);
  drawKeys(left.getContext("2d"), colours, side, height, null);
  drawNotes(right.getContext("2d"), colours, width, height, 0, width / piece.seconds, null);
  context.fillStyle = colours.card;
  context.fillRect(0, 0, page.width, page.height);
  context.drawImage(left, 0, head);
  context.drawImage(right, side, head);
  context.fillStyle = colours.ink;
  context.font = font;
  context.fillText(words, 12, 22);
  page.toBlob((blob) => save(blob, piece.midi.orig_name.replace(/\.mid$/, ".png")), "image/png");
}

// Hands -------------------------------------------------------------------------------------------------------------

const timeAt = (event) => (event.clientX - notes.getBoundingClientRect().left + scroll.scrollLeft) / view.scale;
notes.addEventListener("click", (event) => seek(timeAt(event)));
notes.addEventListener("pointermove", (event) => {
  const box = notes.getBoundingClientRect(), y = event.clientY - box.top;
  const pitch = view.high - Math.floor((y - RULER) / rowHeight(view.height));
  const inside = sample() && y > RULER && pitch >= view.low;
  tip.hidden = !inside;
  if (!inside) return;
  const held = unpacked(sample().notes).find((note) => note[2] === pitch && soundsAt(note, timeAt(event)));
  const beats = held ? held[1] / music().seconds_per_beat : 0;
  tip.textContent = noteName(pitch) + (held ? ", " + Number(beats.toFixed(2)) + (beats === 1 ? " beat" : " beats") : "");
  const x = event.clientX - find(".stage").getBoundingClientRect().left;
  tip.style.left = Math.min(x + 12, find(".stage").clientWidth - tip.offsetWidth - 4) + "px";
  tip.style.top = Math.max(2, y - 30) + "px";
});
notes.addEventListener("pointerleave", () => { tip.hidden = true; });
notes.addEventListener("keydown", (event) => {
  if (!sample()) return;
  const beat = music().seconds_per_beat;
  const moves = { ArrowLeft: audio.currentTime - beat, ArrowRight: audio.currentTime + beat, ArrowDown: audio.currentTime - beat,
    ArrowUp: audio.currentTime + beat, Home: 0, End: sample().seconds };
  if (event.key in moves) seek(moves[event.key]);
  else if (event.key === " ") toggle();
  else return;
  event.preventDefault();
});
play.addEventListener("click", toggle);
audio.addEventListener("play", stopReveal);
find(".watch").addEventListener("click", watchDrawing);
find(".png").addEventListener("click", savePicture);
find(".wav").addEventListener("click", saveSound);
scroll.addEventListener("scroll", () => { if (!frame) draw(); });
for (const name of ["play", "pause", "seeked", "ended", "loadedmetadata"])
  audio.addEventListener(name, () => { if (!frame) frame = requestAnimationFrame(tick); });
new ResizeObserver(() => {
  if (!scroll.clientWidth) audio.pause(); // nobody can see what they hear, or stop it
  measure(); draw();
  if (scroll.clientWidth && sample() && !audio.getAttribute("src")) prepare();
}).observe(scroll);
onThemeChange(draw);

show(0);
find(".way input").addEventListener("input", (event) => drag(Number(event.target.value)));
watch("value", () => {
  if (music() && music().tuned) return; // drawn by who set it
  show(0);
  if (music() && !music().opening) startReveal(1);
  if (music() && music().way) { find(".way input").max = music().samples.length - 1; prepareAll(); }
});
announces(() => music() && music().status);
