// Upsamples heatmaps as `upsampling.py` does: by cubic splines through all cells. The first and the
// last cell lie on the first and the last frame, row and column.

const POLE = Math.sqrt(3) - 2;
const GAIN = 6;

// The coefficients of a volume's spline. They are computed when it is first shown, because a page
// has thousands of volumes.
function splineOf(volume) {
  if (!volume.spline) {
    const values = Float32Array.from(bytesOf(volume.data), byte => byte / 255);
    volume.size.forEach((_, axis) => prefilter(values, volume.size, axis));
    volume.spline = {values, low: 0, high: 1};
    if (volume.stretch) Object.assign(volume.spline, rangeOf(volume));
  }
  return volume.spline;
}

function bytesOf(text) {
  return Uint8Array.from(atob(text), letter => letter.charCodeAt(0));
}

// Turns values into coefficients of the spline along one axis.
function prefilter(values, size, axis) {
  const count = size[axis];
  if (count < 2) return;
  const stride = size.slice(axis + 1).reduce((one, other) => one * other, 1);
  const line = new Float64Array(count);
  for (let begin = 0; begin < values.length; begin++) {
    if (Math.floor(begin / stride) % count) continue;
    for (let k = 0; k < count; k++) line[k] = GAIN * values[begin + k * stride];
    filterLine(line);
    for (let k = 0; k < count; k++) values[begin + k * stride] = line[k];
  }
}

// The recursive filter of Unser et al., 1993, with mirrored ends.
function filterLine(line) {
  const last = line.length - 1, turned = POLE ** last;
  let power = POLE, first = line[0] + turned * line[last];
  for (let k = 1; k < last; k++, power *= POLE) first += power * (line[k] + turned * line[last - k]);
  line[0] = first / (1 - turned * turned);
  for (let k = 1; k <= last; k++) line[k] += POLE * line[k - 1];
  line[last] = (POLE * line[last - 1] + line[last]) * POLE / (POLE * POLE - 1);
  for (let k = last - 1; k >= 0; k--) line[k] = POLE * (line[k + 1] - line[k]);
}

// The four coefficients that determine the spline at a position between cells, and their weights.
function tapsAt(place, cells) {
  const first = Math.min(Math.floor(place), Math.max(cells - 2, 0)), rest = place - first;
  const mirrored = cell => {
    const last = cells - 1;
    return last ? (cell < 0 ? -cell : cell > last ? 2 * last - cell : cell) : 0;
  };
  const weights = [
    (1 - rest) ** 3 / 6,
    (4 - 6 * rest ** 2 + 3 * rest ** 3) / 6,
    (1 + 3 * rest + 3 * rest ** 2 - 3 * rest ** 3) / 6,
    rest ** 3 / 6,
  ];
  return {cells: [first - 1, first, first + 1, first + 2].map(mirrored), weights};
}

const knownTaps = new Map();

// The taps of all pixels; the first and the last pixel lie on the first and the last cell.
function tapsOf(pixels, cells) {
  const key = `${pixels} ${cells}`;
  if (!knownTaps.has(key)) {
    const step = pixels > 1 ? (cells - 1) / (pixels - 1) : 0;
    knownTaps.set(key, Array.from({length: pixels}, (_, k) => tapsAt(k * step, cells)));
  }
  return knownTaps.get(key);
}

// The weighted sum of four parts of `values`, each `length` long.
function mixed(values, taps, length) {
  const [a, b, c, d] = taps.cells.map(cell => cell * length), [p, q, r, s] = taps.weights;
  const sum = new Float32Array(length);
  for (let k = 0; k < length; k++) {
    sum[k] = p * values[a + k] + q * values[b + k] + r * values[c + k] + s * values[d + k];
  }
  return sum;
}

function planeAt(volume, share, width, height, use) {
  const {values} = splineOf(volume), [times, rows, columns] = volume.size;
  const plane = mixed(values, tapsAt(share * (times - 1), times), rows * columns);
  const across = tapsOf(width, columns);
  tapsOf(height, rows).forEach((down, y) => {
    const row = mixed(plane, down, columns);
    across.forEach(({cells: [a, b, c, d], weights: [p, q, r, s]}, x) => {
      use(p * row[a] + q * row[b] + r * row[c] + s * row[d], y * width + x);
    });
  });
}

// The smallest and the largest value of a spline, on cells and halfway between them.
function rangeOf(volume) {
  const [times, rows, columns] = volume.size.map(cells => 2 * cells - 1);
  let low = Infinity, high = -Infinity;
  for (let k = 0; k < times; k++) {
    planeAt(volume, times > 1 ? k / (times - 1) : 0, columns, rows, value => {
      low = Math.min(low, value);
      high = Math.max(high, value);
    });
  }
  return {low, high};
}

// The heatmap in [0, 1] of `width * height` pixels, at a share of the clip's time.
function upsampled(volume, share, width, height) {
  const {low, high} = splineOf(volume), heat = new Float32Array(width * height);
  const spread = high - low;
  // A constant volume shows nothing.
  if (spread < 1e-6) return heat;
  planeAt(volume, share, width, height, (value, place) => {
    heat[place] = Math.min(1, Math.max(0, (value - low) / spread));
  });
  return heat;
}

const FINE = 48;

// The mean of a volume over space, for each frame; of a difference, the mean of its absolute value.
function meansOverSpace(volume, frames) {
  return Array.from({length: frames}, (_, frame) => {
    const heat = upsampled(volume, frames > 1 ? frame / (frames - 1) : 0, FINE, FINE);
    return heat.reduce((sum, value) => sum + strength(value, volume.signed), 0) / heat.length;
  });
}
