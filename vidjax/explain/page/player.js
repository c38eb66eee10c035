// The parts that all panels share: the time, the drawing of heatmaps, and the controls of both.

const shared = {frame: 0, frames: 1, opacity: 0, colours: null};

function element(name) {
  return document.getElementById(name);
}

// Makes a node with attributes and children. Names are inserted as text, never as HTML.
function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "class") node.className = value;
    else node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

// A name from outside, which keeps its own direction of writing.
function named(text, tag = "bdi") {
  return make(tag, {class: "name"}, text);
}

// The share of the clip that has been played. Clips of different lengths all end together.
function shareOfTime() {
  return shared.frames > 1 ? shared.frame / (shared.frames - 1) : 0;
}

function frameOf(clip) {
  return Math.round(shareOfTime() * (clip.images.length - 1));
}

function goTo(frame) {
  shared.frame = Math.min(shared.frames - 1, Math.max(0, Math.round(frame)));
  const told = `frame ${shared.frame + 1} of ${shared.frames}`;
  const seconds = ` · ${(shared.frame / data.fps).toFixed(2)} s`;
  element("time").value = shared.frame;
  element("time").setAttribute("aria-valuetext", told + seconds);
  element("now").replaceChildren(told, make("span", {class: "seconds"}, seconds));
  drawAll();
}

const heatCanvas = document.createElement("canvas");

// Draws a frame and the heatmap over it. Even colours tint the whole frame. Otherwise opacity grows
// with the heat, and cold parts of the video stay as they are.
function paint(canvas, clip, volume, finest) {
  const context = canvas.getContext("2d"), frame = frameOf(clip);
  context.imageSmoothingQuality = "high";
  context.drawImage(clip.images[frame], 0, 0, canvas.width, canvas.height);
  if (!volume || !shared.opacity) return;
  const reduced = Math.min(1, finest / Math.max(canvas.width, canvas.height));
  heatCanvas.width = Math.max(1, Math.round(canvas.width * reduced));
  heatCanvas.height = Math.max(1, Math.round(canvas.height * reduced));
  const last = clip.images.length - 1;
  const heat = upsampled(volume, last ? frame / last : 0, heatCanvas.width, heatCanvas.height);
  tint(heatCanvas, heat, volume.signed);
  context.drawImage(heatCanvas, 0, 0, canvas.width, canvas.height);
}

// In a difference, the middle of the range is transparent and the ends are the two classes.
function tint(canvas, heat, signed) {
  const even = shared.colours.even && !signed, opaque = 255 * shared.opacity;
  const table = signed ? data.signed : shared.colours.table;
  const context = canvas.getContext("2d"), image = context.createImageData(canvas.width, canvas.height);
  heat.forEach((value, place) => {
    const colour = 3 * Math.round(255 * value), pixel = 4 * place;
    image.data[pixel] = table[colour];
    image.data[pixel + 1] = table[colour + 1];
    image.data[pixel + 2] = table[colour + 2];
    image.data[pixel + 3] = even ? opaque : opaque * strength(value, signed);
  });
  context.putImageData(image, 0, 0);
}

function strength(value, signed) {
  return signed ? Math.abs(2 * value - 1) : value;
}

function chooseColours(name) {
  shared.colours = data.colours.find(one => one.name === name);
  shared.opacity = shared.colours.opacity;
  element("opacity").value = 100 * shared.opacity;
  const scale = element("scale");
  scale.getContext("2d").putImageData(
    new ImageData(Uint8ClampedArray.from({length: 1024}, (_, k) =>
      k % 4 === 3 ? 255 : shared.colours.table[3 * (k >> 2) + k % 4]), 256, 1), 0, 0);
  drawAll();
}

let timer = null;

function playOrPause() {
  clearInterval(timer);
  timer = timer ? null : setInterval(() => goTo((shared.frame + 1) % shared.frames), 1000 / data.fps);
  element("play").setAttribute("aria-label", timer ? "pause" : "play");
  element("play").classList.toggle("playing", Boolean(timer));
}

function connectControls() {
  makeRoomForBar();
  shared.frames = Math.max(...data.clips.map(clip => clip.frames.length));
  const time = element("time"), opacity = element("opacity"), colours = element("colours");
  time.max = shared.frames - 1;
  time.disabled = element("play").disabled = shared.frames < 2;
  time.addEventListener("input", () => goTo(+time.value));
  element("play").addEventListener("click", playOrPause);
  opacity.addEventListener("input", () => { shared.opacity = opacity.value / 100; drawAll(); });
  data.signed = bytesOf(data.signed);
  for (const one of data.colours) {
    one.table = bytesOf(one.table);
    colours.append(make("option", {value: one.name}, one.title));
  }
  colours.addEventListener("change", () => chooseColours(colours.value));
}

// Sticky elements stop below the bar, which has one line or two.
function makeRoomForBar() {
  const bar = document.querySelector(".bar");
  new ResizeObserver(() => {
    const above = getComputedStyle(bar).position === "sticky" ? bar.offsetHeight : 0;
    document.documentElement.style.setProperty("--bar", `${above}px`);
  }).observe(bar);
}

function loaded(frame) {
  return new Promise((done, failed) => {
    const image = new Image();
    image.onload = () => done(image);
    image.onerror = () => failed(new Error("a frame cannot be read: this file is damaged"));
    image.src = `data:image/jpeg;base64,${frame}`;
  });
}
