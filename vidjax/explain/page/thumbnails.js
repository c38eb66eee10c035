// Thumbnails are drawn only while they are visible, so that a page may have thousands of them.

const EDGE = 64;
const FINEST = 448;
const inSight = new Set();
const drawings = new WeakMap();

const observer = new IntersectionObserver(entries => {
  for (const entry of entries) {
    const draw = drawings.get(entry.target);
    if (entry.isIntersecting) inSight.add(draw);
    else inSight.delete(draw);
    if (entry.isIntersecting) draw();
  }
}, {rootMargin: "120px"});

// A thumbnail of the clip with a heatmap, which fits into a square.
function smallPicture(clip, heat) {
  const sharp = Math.min(2, window.devicePixelRatio), {naturalWidth: width, naturalHeight: height} = clip.images[0];
  const scale = EDGE / Math.max(width, height);
  const canvas = make("canvas", {
    width: Math.max(1, Math.round(width * scale * sharp)),
    height: Math.max(1, Math.round(height * scale * sharp)),
  });
  canvas.style.width = `${canvas.width / sharp}px`;
  canvas.style.height = `${canvas.height / sharp}px`;
  drawings.set(canvas, () => paint(canvas, clip, heat, EDGE));
  observer.observe(canvas);
  return canvas;
}

// A large picture, which is always drawn.
function largePicture(clip) {
  const {naturalWidth: width, naturalHeight: height} = clip.images[0];
  const scale = Math.max(1, FINEST / Math.max(width, height));
  return make("canvas", {
    class: "main", role: "img", width: Math.round(width * scale), height: Math.round(height * scale),
  });
}

// A button with a thumbnail.
function tile(clip, heat, label, press, ...below) {
  const canvas = smallPicture(clip, heat);
  const box = make("span", {class: "box"}, canvas);
  return make("button", {
    type: "button", class: "tile", "aria-label": label, "aria-pressed": "false", onclick: press,
  }, box, ...below);
}
