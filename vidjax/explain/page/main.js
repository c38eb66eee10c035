// Reads the page's data and starts the page.

const data = JSON.parse(element("data").textContent);
const panels = [];

function drawAll() {
  panels.forEach(panel => panel.draw());
  inSight.forEach(draw => draw());
}

async function start() {
  document.title = data.title;
  document.querySelector("h1").textContent = data.title;
  const pyramids = data.panels.some(panel => panel.pyramid);
  document.querySelectorAll(".of-pyramids").forEach(node => { node.hidden = !pyramids; });
  document.querySelector("main").textContent = "Loading the frames …";
  for (const clip of data.clips) clip.images = await Promise.all(clip.frames.map(loaded));
  connectControls();
  chooseColours(data.colours[0].name);
  const main = document.querySelector("main");
  main.classList.add(data.panels.length > 1 ? "several" : "single");
  main.replaceChildren();
  for (const given of data.panels) {
    const panel = new Panel(given);
    panels.push(panel);
    main.append(panel.root);
    panel.pyramid?.arrange();
  }
  goTo((shared.frames - 1) / 2);
  document.documentElement.dataset.ready = "yes";
}

start().catch(error => {
  document.querySelector("main").textContent = `This page cannot be shown: ${error.message}`;
  throw error;
});
