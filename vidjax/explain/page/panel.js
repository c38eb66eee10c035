// One explanation: the video with a heatmap, its curve over time, facts about it, and the maps and
// kernels to choose from.

class Panel {
  constructor(given) {
    this.given = given;
    this.clip = data.clips[given.clip];
    this.first = given.heats[given.first];
    this.choices = new Map();
    this.canvas = largePicture(this.clip);
    this.caption = make("p", {class: "caption", "aria-live": "polite"});
    this.kernel = make("div", {class: "kernel", hidden: ""});
    this.curve = new Curve(this.clip.images.length);
    this.screen = make("div", {class: "screen"}, this.canvas, this.curve.root);
    this.screen.style.setProperty("--aspect", this.canvas.width / this.canvas.height);
    this.stage = make("div", {class: "stage"}, this.screen, this.caption, this.kernel);
    this.pyramid = given.pyramid ? new Pyramid(given.pyramid, this) : null;
    const chosen = [this.gallery("maps", given.heats), this.gallery("tubes of the class by stage", given.stages)];
    const rest = [...chosen, this.pyramid?.root].filter(Boolean);
    this.root = make("section", {class: rest.length ? "panel" : "panel plain"},
      make("h2", {dir: "auto"}, given.title),
      make("div", {class: "aside"}, this.stage, this.about()),
      ...(rest.length ? [make("div", {class: "rest"}, ...rest)] : []));
    this.root.addEventListener("keydown", event => {
      if (event.key === "Escape") this.show(this.first);
    });
    this.show(this.first);
  }

  // Maps side by side; the chosen one is shown large.
  gallery(title, heats) {
    if (!heats.length || (heats === this.given.heats && heats.length < 2)) return null;
    const tiles = heats.map(own => {
      const node = tile(this.clip, own.heat, own.name, () => this.show(own), named(own.name, "span"));
      this.choices.set(own, node);
      return node;
    });
    return make("div", {class: "gallery", role: "group", "aria-label": title},
      make("h3", {}, title), make("div", {class: "tiles"}, ...tiles));
  }

  about() {
    const scores = this.given.scores.map(([name, score]) => {
      const bar = make("span", {class: "share"});
      bar.style.width = `${100 * score}%`;
      return make("li", {}, named(name), make("span", {class: "score"}, `${(100 * score).toFixed(1)} %`), bar);
    });
    const facts = this.given.facts.map(([name, value]) => make("div", {}, named(name, "dt"), named(value, "dd")));
    return make("div", {class: "about"},
      ...(scores.length ? [make("h3", {}, "top classes"), make("ol", {class: "scores"}, ...scores)] : []),
      ...(facts.length ? [make("dl", {class: "facts"}, ...facts)] : []));
  }

  // Shows a map of the class, a stage or a layer, and closes the open kernel.
  show(own) {
    this.kernel.hidden = true;
    this.stage.classList.remove("open");
    this.pyramid?.close();
    for (const [choice, node] of this.choices) node.setAttribute("aria-pressed", String(choice === own));
    this.put(own);
  }

  showKernel(row, column) {
    const {layers} = this.given.pyramid, layer = layers[row], heat = layer.heats?.[column];
    for (const node of this.choices.values()) node.setAttribute("aria-pressed", "false");
    this.kernel.replaceChildren(...this.kernelFacts(row, column));
    this.kernel.hidden = false;
    this.stage.classList.add("open");
    this.put({heat, name: `kernel ${layer.kernels[column]} of ${layer.name}`,
      caption: heat ? cellsOf(heat) : "after pooling: no location in space and time"});
  }

  kernelFacts(row, column) {
    const {given: {pyramid}} = this, layer = pyramid.layers[row], count = layer.counts[column];
    const close = make("button", {type: "button", class: "close", "aria-label": "close the kernel",
      onclick: () => { this.show(this.first); this.pyramid.nodeOf(row, column)?.focus(); }}, "×");
    return [
      close,
      make("p", {}, `weight ${layer.weights[column].toFixed(2)} · ${count} connection${count === 1 ? " leads" : "s lead"} to it`),
      this.relatives("relied on by", this.pyramid.parents[row][column]),
      this.relatives("relies on", childrenOf(pyramid, row, column)),
    ];
  }

  // Kernels as buttons, layer by layer.
  relatives(title, kernels) {
    const lines = [...byRow(kernels)].map(([row, own]) => make("p", {class: "line"},
      row === CLASS ? "the class" : named(this.given.pyramid.layers[row].name),
      ...(row === CLASS ? [] : own.map(kernel => this.chip(...kernel)))));
    return make("div", {class: "relatives"}, make("h3", {}, `${title}${kernels.length ? "" : " no kernel of this pyramid"}`), ...lines);
  }

  chip(row, column, weight) {
    const layer = this.given.pyramid.layers[row], press = () => {
      this.pyramid.open(row, column);
      this.pyramid.nodeOf(row, column).focus();
    };
    const label = `open kernel ${layer.kernels[column]} of ${layer.name}, weight ${weight.toFixed(2)}`;
    return make("button", {type: "button", class: "chip", "aria-label": label, onclick: press}, `${layer.kernels[column]}`);
  }

  put(own) {
    this.shown = own;
    this.caption.replaceChildren(named(own.name), make("span", {}, own.caption));
    this.canvas.setAttribute("aria-label", `the video with the heatmap of ${own.name}`);
    this.curve.show(own.heat);
    this.draw();
  }

  draw() {
    paint(this.canvas, this.clip, this.shown.heat, FINEST);
    this.curve.mark();
  }
}

function byRow(kernels) {
  const rows = new Map();
  for (const kernel of kernels) rows.set(kernel[0], [...(rows.get(kernel[0]) ?? []), kernel]);
  return rows;
}

function cellsOf(volume) {
  return volume ? `${(volume.cells ?? volume.size).join("x")} cells` : "";
}
