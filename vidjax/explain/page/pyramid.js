// The pyramid: the class at its apex, then the layers level by level, with a tile for each kernel.

const TILE_ROOM = 78;
// The fewest tiles per line of a layer (if it has as many), and the room for its name.
const LEAST_TILES = 3;

class Pyramid {
  constructor(given, panel) {
    this.given = given;
    this.panel = panel;
    this.parents = parentsOf(given);
    this.opened = null;
    this.lines = svg("svg", {class: "links", "aria-hidden": "true"});
    this.apex = tile(panel.clip, panel.first.heat, `the class, ${panel.given.title}`, () => panel.show(panel.first),
      make("span", {class: "note"}, "class"));
    this.rows = given.layers.map((layer, row) => new Row(layer, row, this));
    this.levels = [...new Set(given.layers.map(layer => layer.level))]
      .map(level => this.rows.filter(row => row.layer.level === level));
    this.root = make("div", {class: "pyramid", role: "group", "aria-label": "class feature pyramid"},
      this.lines,
      make("div", {class: "level"}, make("div", {class: "tiles"}, this.apex)),
      ...this.levels.map(rows => make("div", {class: "level"},
        make("span", {class: "depth"}, `level ${rows[0].layer.level}`), ...rows.map(row => row.root))));
    this.root.addEventListener("keydown", event => this.move(event));
    new ResizeObserver(() => this.arrange()).observe(this.root);
  }

  // Levels fill the width, and deeper levels show more tiles. Layers of a level share a line as long
  // as each has room for some tiles.
  arrange() {
    const fit = Math.max(LEAST_TILES, Math.floor(this.root.clientWidth / TILE_ROOM));
    for (const rows of this.levels) {
      const lines = Math.ceil(rows.length / Math.floor(fit / LEAST_TILES));
      rows.forEach(row => row.fill(Math.floor(fit / Math.ceil(rows.length / lines))));
    }
    this.connect();
  }

  // Redraws the faint lines after tiles were added or removed.
  connect() {
    const {width, height} = this.root.getBoundingClientRect();
    this.lines.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.boxes = new Map();
    const tiles = [[CLASS, 0], ...this.rows.flatMap((row, place) => row.shown().map(column => [place, column]))];
    const shown = (row, column) => this.nodeOf(row, column) && this.boxOf(row, column);
    this.lines.replaceChildren(...faintLines(this.given, tiles, shown));
    this.light(this.opened);
  }

  nodeOf(row, column) {
    return row === CLASS ? this.apex : this.rows[row].tiles.get(column);
  }

  // The box of a kernel; a hidden kernel has the box of the button "more".
  boxOf(row, column) {
    const node = this.nodeOf(row, column) ?? this.rows[row].more;
    if (!this.boxes.has(node)) this.boxes.set(node, boxOf(node, this.root));
    return this.boxes.get(node);
  }

  // Highlights the lines from a kernel to its children and to its parents.
  light(kernel) {
    this.lines.querySelectorAll(".lit").forEach(line => line.remove());
    this.root.querySelectorAll(".related").forEach(node => node.classList.remove("related"));
    this.root.classList.toggle("lit", Boolean(kernel));
    if (!kernel) return;
    const [row, column] = kernel, own = this.boxOf(row, column);
    this.nodeOf(row, column)?.classList.add("related");
    for (const child of childrenOf(this.given, row, column)) this.lightLine("child", own, child, false);
    for (const parent of row === CLASS ? [] : this.parents[row][column]) this.lightLine("parent", own, parent, true);
  }

  lightLine(kind, own, [row, column, weight], up) {
    const other = this.boxOf(row, column), width = 1 + 2 * strengthOf(this.given, weight);
    (this.nodeOf(row, column) ?? this.rows[row].more).classList.add("related");
    const line = up ? lineBetween(other, own) : lineBetween(own, other);
    this.lines.append(svg("path", {class: `lit ${kind}`, d: line, "stroke-width": width}));
  }

  open(row, column) {
    this.rows[row].reveal(column);
    this.opened = [row, column];
    this.mark();
    this.panel.showKernel(row, column);
  }

  close() {
    this.opened = null;
    this.mark();
  }

  mark() {
    this.root.querySelectorAll("[aria-pressed=true]").forEach(node => node.setAttribute("aria-pressed", "false"));
    if (this.opened) this.nodeOf(...this.opened).setAttribute("aria-pressed", "true");
    this.light(this.opened);
  }

  // Arrow keys move among tiles. Each layer has only one tab stop, because there may be thousands of
  // tiles.
  move(event) {
    const [down, right] = {
      ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0],
    }[event.key] ?? [0, 0];
    const lines = [...this.root.querySelectorAll(".level")]
      .map(level => [...level.querySelectorAll(".tiles > *")]);
    const row = lines.findIndex(line => line.includes(event.target));
    if (row < 0 || !(down || right)) return;
    event.preventDefault();
    const line = lines[row + down] ?? lines[row], column = lines[row].indexOf(event.target) + right;
    line[Math.min(line.length - 1, Math.max(0, column))].focus();
  }
}

// A layer: its name, and tiles of its kernels, the strongest first.
class Row {
  constructor(layer, row, pyramid) {
    Object.assign(this, {layer, row, pyramid, tiles: new Map(), all: false, fit: 0});
    this.line = make("div", {class: "tiles"});
    this.count = make("span", {class: "kept"});
    this.name = make("button", {type: "button", class: "layer", onclick: () => this.press()},
      named(layer.name));
    this.name.disabled = !layer.heat;
    this.more = make("button", {type: "button", class: "more", onclick: () => this.toggle()});
    this.head = make("div", {class: "head"}, this.name, this.count);
    this.root = make("div", {class: "row"}, this.head, this.line);
  }

  press() {
    this.pyramid.panel.show({name: this.layer.name, heat: this.layer.heat,
      caption: `${this.layer.kernels.length} kernels together · ${cellsOf(this.layer.heat)}`});
  }

  toggle() {
    this.all = !this.all;
    this.fill(this.fit);
    this.pyramid.connect();
    this.more.focus();
  }

  fill(fit) {
    this.fit = fit;
    const total = this.layer.kernels.length, few = Math.min(fit, 3 + 2 * this.layer.level);
    // The button "more" takes the room of one tile.
    const first = this.all || total <= few ? total : Math.max(1, few - 1);
    const nodes = this.wanted(first).map(column => this.kept(column));
    this.lay(total > few ? [...nodes, this.more] : nodes);
    this.more.textContent = this.all ? "fewer" : `+${total - first}`;
    this.more.setAttribute("aria-label", this.all ? "show fewer kernels" : `show ${total - first} more kernels`);
    this.count.textContent = first < total ? `${first} of ${total} kernels` : `${total} kernel${total > 1 ? "s" : ""}`;
    this.stop();
  }

  // Columns of the first tiles, and of the open kernel if it comes later.
  wanted(count) {
    const {opened} = this.pyramid, columns = [...Array(count).keys()];
    if (opened?.[0] === this.row && opened[1] >= count) columns.push(opened[1]);
    for (const column of this.tiles.keys()) if (!columns.includes(column)) this.tiles.delete(column);
    return columns;
  }

  kept(column) {
    if (!this.tiles.has(column)) this.tiles.set(column, this.tile(column));
    return this.tiles.get(column);
  }

  // Does not touch nodes that are already in place: a node that is moved loses the focus.
  lay(nodes) {
    this.head.style.maxWidth = `${TILE_ROOM * Math.max(LEAST_TILES, Math.min(nodes.length, this.fit))}px`;
    const {children} = this.line;
    if (children.length !== nodes.length || nodes.some((node, place) => children[place] !== node)) {
      this.line.replaceChildren(...nodes);
    }
  }

  shown() {
    return [...this.tiles.keys()];
  }

  reveal(column) {
    if (this.tiles.has(column)) return;
    this.all = true;
    this.fill(this.fit);
    this.pyramid.connect();
  }

  tile(column) {
    const {layer, row, pyramid} = this, weight = layer.weights[column].toFixed(2);
    const label = `kernel ${layer.kernels[column]} of ${layer.name}, weight ${weight}`;
    const node = tile(pyramid.panel.clip, layer.heats?.[column], label, () => this.pressTile(column),
      make("span", {class: "note"}, `${layer.kernels[column]} · ${weight}`));
    const light = () => pyramid.light([row, column]), dim = () => pyramid.light(pyramid.opened);
    for (const [kind, act] of Object.entries({pointerenter: light, focus: light, pointerleave: dim, blur: dim})) {
      node.addEventListener(kind, act);
    }
    node.addEventListener("focus", () => this.stop(node));
    return node;
  }

  pressTile(column) {
    const {opened, panel} = this.pyramid;
    if (opened?.[0] === this.row && opened[1] === column) panel.show(panel.first);
    else this.pyramid.open(this.row, column);
  }

  stop(node = this.line.firstElementChild) {
    for (const other of this.line.children) other.tabIndex = other === node || other === this.more ? 0 : -1;
  }
}
