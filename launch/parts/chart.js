// Charts: lines that can be hidden, and read with the pointer or the arrow keys.

const CROWD = 40; // lines above which medians stand for the runs at first
const [MANY, BEST] = [14, 7]; // configurations above which only the best are shown

class Chart {
  constructor(place) {
    const title = place.dataset.chart;
    ({ figures: this.figures, across: this.across } = known.charts[title]);
    const lines = this.figures.flatMap((figure) => figure.lines);
    this.groups = [...new Set(lines.map(([group]) => group))].sort((a, b) => a - b);
    this.hidden = new Set(this.groups.length > MANY ? this.groups.slice(BEST) : []);
    this.lines = [];
    this.here = null; // the line and the point that are read
    this.plot = make("svg", { class: "plot", tabindex: 0, role: "application",
      "aria-roledescription": "chart", "aria-label": `${title}: left and`
      + " right move along a line, up and down to another, Home and End to its ends" });
    this.told = make("output", { "aria-live": "polite" });
    this.log = { x: this.toggle("log x"), y: this.toggle("log y") };
    this.each = this.toggle("each run");
    this.choice = make("select", { "aria-label": `Figure of ${title}` },
      ...this.figures.map((figure, k) => make("option", { value: k }, figure.name)));
    this.choice.addEventListener("change", () => this.choose());
    const legend = this.legend();
    place.replaceChildren(
      make("div", { class: "tools" }, this.choice, this.log.x, this.log.y,
        this.each, ...this.everything(legend)),
      this.plot, this.told, legend);
    this.listen();
    this.choose();
    new ResizeObserver(() => this.resize()).observe(this.plot);
  }

  toggle(name) {
    const button = make("button", { type: "button", "aria-pressed": false }, name);
    button.addEventListener("click", () => {
      button.setAttribute("aria-pressed", !pressed(button));
      this.draw();
    });
    return button;
  }

  /** Returns a button for each configuration, which hides it. */
  legend() {
    const buttons = this.groups.map((group) => {
      const swatch = make("svg", { class: `swatch ${look(group)}`, width: 24, height: 10,
        "aria-hidden": true }, make("line", { x1: 1, x2: 23, y1: 5, y2: 5 }));
      const button = make("button", { type: "button", "data-group": group,
        "aria-pressed": !this.hidden.has(group) }, swatch, known.configurations[group]);
      button.addEventListener("click", () => this.show([button], !pressed(button)));
      for (const [event, lit] of [["pointerenter", true], ["focus", true],
        ["pointerleave", false], ["blur", false]]) {
        button.addEventListener(event, () => this.light(lit ? group : null));
      }
      return button;
    });
    return make("div", { class: "legend", role: "group", "aria-label": "Lines" },
      ...buttons);
  }

  everything(legend) {
    return [["show all", true], ["hide all", false]].map(([name, wanted]) => {
      const button = make("button", { type: "button" }, name);
      button.addEventListener("click", () => this.show([...legend.children], wanted));
      return button;
    });
  }

  show(buttons, wanted) {
    for (const button of buttons) {
      button.setAttribute("aria-pressed", wanted);
      const group = Number(button.dataset.group);
      wanted ? this.hidden.delete(group) : this.hidden.add(group);
    }
    this.draw();
  }

  light(group) {
    this.plot.classList.toggle("apart", group !== null && !this.hidden.has(group));
    for (const path of this.plot.querySelectorAll("[data-group]")) {
      path.classList.toggle("lit", Number(path.dataset.group) === group);
    }
  }

  choose() {
    const { lines } = this.figures[this.choice.value];
    const count = new Map();
    for (const [group] of lines) count.set(group, (count.get(group) ?? 0) + 1);
    this.lines = lines.map((line) => unpacked(line, count.get(line[0]) === 1));
    const [low, high] = extremes(this.lines.map((line) => line.values));
    this.log.y.setAttribute("aria-pressed", low > 0 && high / low > 100);
    this.each.setAttribute("aria-pressed", this.lines.length <= CROWD);
    this.each.hidden = this.lines.every((line) => line.kind !== "middle");
    this.here = null;
    this.draw();
  }

  get visible() {
    const each = pressed(this.each);
    return this.lines.filter((line) =>
      !this.hidden.has(line.group) && (each || line.kind !== "seed"));
  }

  /** Draws again where the size is another: a browser tells the first one too. */
  resize() {
    const { width, height } = this.plot.getBoundingClientRect();
    if (width !== this.width || height !== this.height) this.draw();
  }

  draw() {
    const { width, height } = this.plot.getBoundingClientRect();
    [this.width, this.height] = [width, height];
    if (!width) return;
    const lines = this.visible;
    const { left, right, top, bottom } = MARGIN;
    const [logX, logY] = [pressed(this.log.x), pressed(this.log.y)];
    const [first, last] = extremes(lines.map((line) => line.steps), logX);
    const [low, high] = extremes(lines.map((line) => line.values), logY);
    const x = scale(first, last, logX, left, width - right);
    const y = scale(low, high, logY, height - bottom, top);
    for (const line of lines) {
      line.x = line.steps.map(x.at);
      line.y = line.values.map((value) => (value === null ? NaN : y.at(value)));
    }
    this.cursor = make("g");
    this.plot.replaceChildren(
      ...(lines.length ? axes(x, y, width, height, this.across) : []),
      ...lines.toReversed().flatMap(strokes), this.cursor); // the best on top
    const { line, point } = this.here ?? {};
    if (!lines.includes(line) || !isFinite(line.x[point] + line.y[point])) {
      this.here = null;
    }
    this.read();
  }

  /** Marks the point that is read, and says what it is. */
  read() {
    this.cursor.replaceChildren();
    if (!this.here) {
      const shown = this.groups.filter((group) => !this.hidden.has(group)).length;
      this.told.textContent = `${shown} of ${this.groups.length} configurations are`
        + " shown. Point at a line, or move with the arrow keys, to read it.";
      return;
    }
    const { line, point } = this.here;
    const [cx, cy] = [line.x[point], line.y[point]];
    const bottom = this.height - MARGIN.bottom;
    this.cursor.append(
      make("line", { class: "cursor", x1: cx, x2: cx, y1: MARGIN.top, y2: bottom }),
      make("circle", { class: `here ${look(line.group)}`, cx, cy, r: 5 }));
    const value = shown(line.values[point]);
    this.told.textContent =
      `${this.across} ${shown(line.steps[point])}: ${value} — ${line.name}`;
  }

  listen() {
    for (const event of ["pointermove", "pointerdown"]) {
      this.plot.addEventListener(event, ({ clientX, clientY }) => {
        const box = this.plot.getBoundingClientRect();
        this.point(nearest(this.visible, clientX - box.left, clientY - box.top));
      });
    }
    this.plot.addEventListener("focus", () => this.here ?? this.move("End"));
    this.plot.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.altKey || event.metaKey) return;
      if (this.move(event.key)) event.preventDefault();
    });
  }

  point(found) {
    this.here = found ?? this.here;
    this.read();
  }

  /** Moves to another point as a key says; returns whether it says anything. */
  move(key) {
    const along = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10,
      Home: -Infinity, End: Infinity }[key];
    const across = { ArrowUp: -1, ArrowDown: 1 }[key];
    const lines = this.visible.filter((line) => points(line).length);
    if ((along ?? across) === undefined || !lines.length) return false;
    let { line, point } = this.here ?? { line: lines[0], point: Infinity };
    if (across) {
      const x = line.x[point] ?? Infinity;
      line = lines[(lines.indexOf(line) + across + lines.length) % lines.length];
      point = points(line).reduce((best, k) =>
        Math.abs(line.x[k] - x) < Math.abs(line.x[best] - x) ? k : best);
    } else {
      const places = points(line);
      const now = point === Infinity ? places.length - 1 : places.indexOf(point);
      point = places[Math.min(places.length - 1, Math.max(0, now + along))];
    }
    this.point({ line, point });
    return true;
  }
}

function pressed(button) {
  return button.getAttribute("aria-pressed") === "true";
}

for (const place of document.querySelectorAll("[data-chart]")) {
  new Chart(place);
}
performance.mark("drawn");
