// Parents and children in a pyramid, and the lines between them.

// The most lines between two layers; the strongest are drawn.
const MOST_LINES = 120;
const CLASS = -1;

function svg(tag, attributes, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

// The children of a kernel, each as row, column and weight; row -1 is the class.
function childrenOf(pyramid, row, column) {
  return pyramid.lists[row === CLASS ? pyramid.root : pyramid.layers[row].lists[column]];
}

// The parents of each kernel, by row and column.
function parentsOf(pyramid) {
  const parents = pyramid.layers.map(layer => layer.kernels.map(() => []));
  const note = (row, column) => {
    for (const [below, place, weight] of childrenOf(pyramid, row, column)) {
      parents[below][place].push([row, column, weight]);
    }
  };
  note(CLASS, 0);
  pyramid.layers.forEach((layer, row) => layer.kernels.forEach((_, column) => note(row, column)));
  return parents;
}

function strengthOf(pyramid, weight) {
  const room = 1 - pyramid.theta;
  return room > 0 ? Math.min(1, Math.max(0, (weight - pyramid.theta) / room)) : 1;
}

// A curve from the lower edge of one node to the upper edge of another. It leaves both vertically,
// so that it does not cross their neighbours.
function lineBetween(from, to) {
  const x = from.left + from.width / 2, y = from.top + from.height;
  const middle = (y + to.top) / 2, end = to.left + to.width / 2;
  return `M${x} ${y}C${x} ${middle} ${end} ${middle} ${end} ${to.top}`;
}

function boxOf(node, root) {
  const own = node.getBoundingClientRect(), all = root.getBoundingClientRect();
  return {left: own.left - all.left, top: own.top - all.top, width: own.width, height: own.height};
}

// Faint lines between all visible tiles. Between two layers there is one path for weak lines and one
// for strong ones, because lines of one path do not darken where they cross.
function faintLines(pyramid, tiles, boxes) {
  const between = new Map();
  for (const [row, column] of tiles) {
    for (const [below, place, weight] of childrenOf(pyramid, row, column)) {
      const from = boxes(row, column), to = boxes(below, place);
      if (!from || !to || below <= row) continue;
      const key = `${row} ${below}`;
      if (!between.has(key)) between.set(key, []);
      between.get(key).push({weight, line: lineBetween(from, to)});
    }
  }
  return [...between.values()].flatMap(lines => {
    const chosen = lines.sort((one, other) => other.weight - one.weight).slice(0, MOST_LINES);
    return ["weak", "strong"].map(kind => {
      const own = chosen.filter(({weight}) => (strengthOf(pyramid, weight) > 0.5) === (kind === "strong"));
      return svg("path", {class: kind, d: own.map(({line}) => line).join("")});
    }).filter(path => path.getAttribute("d"));
  });
}
