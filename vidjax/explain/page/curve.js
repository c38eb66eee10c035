// The mean of a map in each frame, as a curve. Click it to go to a frame.

class Curve {
  constructor(frames) {
    this.frames = frames;
    this.area = svg("path", {class: "area"});
    this.line = svg("path", {class: "over-time"});
    this.place = svg("line", {class: "now", y1: 0, y2: 100});
    this.plot = svg("svg", {viewBox: "0 0 100 100", preserveAspectRatio: "none", role: "img"},
      this.area, this.line, this.place);
    this.legend = make("p", {class: "legend"});
    this.root = make("div", {class: "curve"}, this.plot, this.legend);
    this.root.hidden = frames < 2;
    const follow = event => { if (event.buttons) this.go(event); };
    this.plot.addEventListener("pointerdown", event => {
      this.plot.setPointerCapture(event.pointerId);
      this.go(event);
    });
    this.plot.addEventListener("pointermove", follow);
  }

  go(event) {
    const box = this.plot.getBoundingClientRect();
    goTo((event.clientX - box.left) / box.width * (shared.frames - 1));
  }

  show(volume) {
    this.root.hidden = this.frames < 2 || !volume;
    if (this.root.hidden) return;
    volume.means ??= meansOverSpace(volume, this.frames);
    const most = Math.max(...volume.means), top = most || 1;
    const points = volume.means.map((mean, frame) =>
      `${(100 * frame / (this.frames - 1)).toFixed(2)} ${(96 - 92 * mean / top).toFixed(2)}`);
    this.line.setAttribute("d", `M${points.join("L")}`);
    this.area.setAttribute("d", `M0 100L${points.join("L")}L100 100Z`);
    const peak = volume.means.indexOf(most) + 1;
    this.legend.textContent = `mean of the map in each frame; largest ${most.toFixed(2)} (frame ${peak})`;
    this.plot.setAttribute("aria-label", `the mean of the map over space, largest at frame ${peak} of ${this.frames}`);
  }

  mark() {
    const place = 100 * shareOfTime();
    this.place.setAttribute("x1", place);
    this.place.setAttribute("x2", place);
  }
}
