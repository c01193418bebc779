// Lines and axes: what a chart draws of its data.

const known = JSON.parse(document.getElementById("data").textContent);
const MARGIN = { left: 62, right: 14, top: 12, bottom: 40 };

function make(tag, attributes = {}, ...inside) {
  const drawn = ["svg", "line", "path", "circle", "text", "g"].includes(tag);
  const element = drawn
    ? document.createElementNS("http://www.w3.org/2000/svg", tag)
    : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    element.setAttribute(name, value);
  }
  element.append(...inside);
  return element;
}

function look(group) {
  return `c${group % 7} d${Math.floor(group / 7) % 4}`;
}

/** Returns a line with its steps summed and no name but what a reader is told. */
function unpacked([group, label, middle, gaps, values], alone) {
  let step = 0;
  const steps = gaps.map((gap) => (step += gap));
  const name = known.configurations[group];
  const kind = alone ? "" : middle ? "middle" : "seed";
  return { group, kind, name: alone ? name : `${name}, ${label}`, steps, values };
}

/** Returns the places of a line's points that are on the screen. */
function points(line) {
  return [...line.x.keys()].filter((k) => isFinite(line.x[k]) && isFinite(line.y[k]));
}

function extremes(arrays, positive = false) {
  let [low, high] = [Infinity, -Infinity];
  for (const values of arrays) {
    for (const value of values) {
      if (value === null || (positive && value <= 0)) continue;
      if (value < low) low = value;
      if (value > high) high = value;
    }
  }
  return low > high ? [1, 10] : [low, high];
}

/** Returns the point of all lines that is nearest to a place on the screen. */
function nearest(lines, px, py) {
  let [best, found] = [Infinity, null];
  for (const line of lines) {
    for (let k = 0; k < line.x.length; k++) {
      const distance = (line.x[k] - px) ** 2 + (line.y[k] - py) ** 2;
      if (distance < best) [best, found] = [distance, { line, point: k }];
    }
  }
  return found;
}

/** Returns a line as a path, and its points as dots where they are few. */
function strokes(line) {
  let [text, open] = ["", false];
  for (let k = 0; k < line.x.length; k++) {
    const there = isFinite(line.x[k]) && isFinite(line.y[k]);
    if (there) text += `${open ? "L" : "M"}${line.x[k].toFixed(1)} ${line.y[k].toFixed(1)}`;
    open = there;
  }
  const shared = { class: `${line.kind} ${look(line.group)}`, "data-group": line.group };
  const path = make("path", { ...shared, d: text });
  if (line.x.length > 30) return [path];
  const dots = points(line).map((k) =>
    make("circle", { ...shared, cx: line.x[k], cy: line.y[k], r: 2.5 }));
  return [path, ...dots];
}

function axes(x, y, width, height, across) {
  const { left, right, top, bottom } = MARGIN;
  const drawn = [];
  for (const tick of x.ticks) {
    const at = x.at(tick);
    const room = at + 30 < width;
    drawn.push(
      make("line", { class: "grid", x1: at, x2: at, y1: top, y2: height - bottom }),
      make("text", { x: room ? at : width, y: height - bottom + 17,
        "text-anchor": room ? "middle" : "end" }, shown(tick)));
  }
  for (const tick of y.ticks) {
    const at = y.at(tick);
    drawn.push(
      make("line", { class: "grid", x1: left, x2: width - right, y1: at, y2: at }),
      make("text", { x: left - 8, y: at + 4, "text-anchor": "end" }, brief(tick)));
  }
  drawn.push(make("text", { x: (left + width - right) / 2, y: height - 4,
    "text-anchor": "middle" }, across));
  return drawn;
}
