const recording = JSON.parse(document.getElementById("recording").textContent);
const { duration, frame_seconds: frameSeconds } = recording;
const peaks = decode(recording.peaks, Uint8Array, 255);
const numFrames = peaks.length;
const users = recording.users.map((user, row) => ({
  ...user,
  alarms: recording.alarms.filter((alarm) => alarm[0] === row),
}));
const onsets = recording.alarms.map((alarm) => alarm[1]);
const leadSeconds = 2;
let target = null;
let threshold = null, scoreLimit = 1;
const find = (id) => document.getElementById(id);

/* Numbers from 0 to 1 that are whole numbers, least byte first, in base64. */
function decode(text, Type, highest) {
  const bytes = Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
  return Float32Array.from(new Type(bytes.buffer), (value) => value / highest);
}

function clamp(value, low, high) {
  return Math.min(Math.max(value, low), high);
}

function clock(seconds, hasTenths = true) {
  const tenths = Math.round(seconds * 10);
  const whole = Math.floor(tenths / 10);
  const pad = (number) => String(number).padStart(2, "0");
  const minutes = Math.floor(whole / 60);
  const start = minutes < 60 ? `${minutes}` : `${Math.floor(minutes / 60)}:${pad(minutes % 60)}`;
  return `${start}:${pad(whole % 60)}${hasTenths ? `.${tenths % 10}` : ""}`;
}

/* The frame that holds a time; the nudge puts a time on the grid into its frame. */
function frameAt(seconds) {
  return clamp(Math.floor(seconds / frameSeconds + 1e-6), 0, numFrames - 1);
}

/* What is heard, or where the cursor stands as long as nothing can be heard. */
class Player {
  constructor(audio, onMove) {
    Object.assign(this, { audio, onMove, position: 0 });
    for (const name of ["timeupdate", "seeking", "pause", "ended"]) {
      audio.addEventListener(name, () => this.follow());
    }
    audio.addEventListener("loadedmetadata", () => this.start());
    audio.addEventListener("play", () => this.run());
    audio.addEventListener("error", () => say(`The browser can't play this file: ${audio.error.message || "unknown format"}.`));
  }

  open(file) {
    if (this.url) { URL.revokeObjectURL(this.url); }
    this.url = URL.createObjectURL(file);
    say("");
    this.audio.hidden = false;
    this.audio.src = this.url;
  }

  start() {
    const { audio } = this;
    if (this.position > 0) { audio.currentTime = this.position; }
    const isOther = this.url && Math.abs(audio.duration - duration) > 1;
    say(isOther ? `The file lasts ${clock(audio.duration)}, the recording ${clock(duration)}: is it another one?` : "");
  }

  follow() {
    if (this.audio.readyState > 0) { this.position = Math.min(this.audio.currentTime, duration); }
    this.onMove();
  }

  run() {
    this.follow();
    if (!this.audio.paused) { requestAnimationFrame(() => this.run()); }
  }

  seek(seconds) {
    this.position = clamp(seconds, 0, duration);
    if (this.audio.readyState > 0) { this.audio.currentTime = this.position; }
    this.onMove();
  }

  play() {
    if (!this.audio.currentSrc) { say("Open the recording above to hear it."); return; }
    this.audio.play().catch((error) => {
      if (error.name !== "AbortError") { say(`It can't be played: ${error.message}.`); }
    });
  }

  toggle() {
    if (this.audio.paused) { this.play(); } else { this.audio.pause(); }
  }
}

/* One page that shows where the player stands, and takes it elsewhere. */
const isStill = window.matchMedia("(prefers-reduced-motion: reduce)");
const near = new Track(find("near"), 60), whole = new Track(find("whole"), 32);
const rows = Array.from(document.querySelectorAll(".users li"), (item) => ({
  output: item.querySelector("output"), lamp: item.querySelector(".lamp"),
}));
const player = new Player(find("audio"), move);
const keys = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10, Home: -Infinity, End: Infinity };

function say(text) {
  const status = find("status");
  status.textContent = text;
  status.hidden = !text;
}

/* Takes the scores of a horizon; only the main one has a threshold. */
function takeHorizon(index) {
  const chosen = recording.horizons[index];
  const scores = decode(chosen.scores, Uint16Array, 65535);
  users.forEach((user, row) => {
    user.scores = scores.subarray(row * numFrames, (row + 1) * numFrames);
  });
  ({ threshold, score_limit: scoreLimit } = chosen);
  find("threshold").hidden = threshold === null;
  find("limit").textContent = scoreLimit;
}

function showScores(position) {
  const frame = frameAt(position);
  const scores = users.map((user) => user.scores[frame].toFixed(3));
  find("clock").textContent = clock(position);
  rows.forEach(({ output, lamp }, row) => {
    const isOn = users[row].alarms.some(([, onset, offset]) => onset <= position && position < offset);
    output.textContent = scores[row];
    lamp.textContent = isOn ? "alarm" : "no alarm";
    lamp.classList.toggle("on", isOn);
  });
  const spoken = users.map((user, row) => `${user.name} ${scores[row]}`).join(", ");
  for (const { element } of [near, whole]) {
    element.setAttribute("aria-valuenow", position.toFixed(1));
    element.setAttribute("aria-valuetext", `${clock(position)} of ${clock(duration)}, ${spoken}`);
  }
  find("previous").disabled = previousOnset() === undefined;
  find("next").disabled = nextOnset() === undefined;
}

function move() {
  const { position } = player;
  const span = Number(find("span").value);
  const start = isStill.matches ? Math.floor(position / span) * span : position - span / 2;
  near.draw(start, start + span);
  near.moveCursor(position);
  whole.moveCursor(position);
  showScores(position);
}

function reflow() {
  near.resize();
  whole.resize();
  whole.draw(0, duration);
  move();
}

function startBefore(onset) {
  return Math.max(0, onset - leadSeconds);
}

/* The alarm that was gone to and is still to come; null when it is over, or the cursor elsewhere. */
function awaited() {
  const isBefore = target !== null && player.position <= target;
  return isBefore && player.position >= startBefore(target) - 0.05 ? target : null;
}

function nextOnset() {
  const from = awaited() ?? player.position;
  return onsets.find((onset) => onset > from + 0.01);
}

function previousOnset() {
  const onset = awaited();
  if (onset !== null && player.position > startBefore(onset) + 1) { return onset; }
  const from = onset ?? player.position;
  return onsets.filter((other) => other < from - 0.01).pop();
}

function playAlarm(onset) {
  target = onset;
  player.seek(startBefore(onset));
  player.play();
}

/* A tap goes to its place. A drag takes the cursor along, or the view under a cursor that stays. */
function listen(track, staysInPlace) {
  const { element } = track;
  let grabbed = null;
  const xOf = (event) => event.clientX - element.getBoundingClientRect().left - element.clientLeft;
  element.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) { return; }
    element.setPointerCapture(event.pointerId);
    const x = xOf(event);
    grabbed = { x, seconds: track.secondsAt(x), position: player.position, isDrag: false };
  });
  element.addEventListener("pointermove", (event) => {
    if (!grabbed) { return; }
    const moved = xOf(event) - grabbed.x;
    grabbed.isDrag = grabbed.isDrag || Math.abs(moved) > 3;
    if (!grabbed.isDrag) { return; }
    const pulled = (moved / track.width) * (track.end - track.start);
    player.seek(staysInPlace() ? grabbed.position - pulled : track.secondsAt(xOf(event)));
  });
  element.addEventListener("pointerup", () => {
    if (grabbed && !grabbed.isDrag) { player.seek(grabbed.seconds); }
    grabbed = null;
  });
  element.addEventListener("pointercancel", () => { grabbed = null; });
  element.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) { return; }
    if (event.key === " ") { player.toggle(); } else if (event.key in keys) {
      player.seek(player.position + keys[event.key]);
    } else { return; }
    event.preventDefault();
  });
  element.setAttribute("aria-valuemin", "0");
  element.setAttribute("aria-valuemax", duration.toFixed(1));
}

function offerSpans() {
  const spans = [5, 10, 20, 30, 60, 120];
  const preferred = spans.filter((span) => span <= Math.max(5, Math.min(30, duration))).pop();
  for (const span of spans) {
    find("span").add(new Option(`${span} s`, span, false, span === preferred));
  }
  find("span").addEventListener("change", move);
}

function offerHorizons() {
  const choice = find("horizon");
  takeHorizon(choice ? choice.value : 0);
  if (choice) {
    choice.addEventListener("change", () => { takeHorizon(choice.value); reflow(); });
  }
}

offerSpans();
offerHorizons();
listen(near, () => !isStill.matches);
listen(whole, () => false);
find("previous").addEventListener("click", () => playAlarm(previousOnset()));
find("next").addEventListener("click", () => playAlarm(nextOnset()));
for (const button of document.querySelectorAll("button[data-onset]")) {
  button.addEventListener("click", () => playAlarm(Number(button.dataset.onset)));
}
if (find("open")) {
  find("open").hidden = false;
  find("file").addEventListener("change", (event) => {
    if (event.target.files.length) { player.open(event.target.files[0]); }
  });
}
find("previous").hidden = find("next").hidden = !onsets.length;
find("tracks").hidden = false;
if (find("hint")) { find("hint").hidden = false; }
new ResizeObserver(() => requestAnimationFrame(reflow)).observe(find("tracks"));
isStill.addEventListener("change", move);
