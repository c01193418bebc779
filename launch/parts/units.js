// A text in the colours of one unit, which is chosen by name or by what it follows.

const known = JSON.parse(document.getElementById("data").textContent);
const values = Int8Array.from(atob(known.values), (c) => c.charCodeAt(0));
const { pieces, units, steps } = known;
const LEVELS = 5; // of colour, on each side of nothing

function make(name, attributes, ...inside) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...inside);
  return element;
}

/** Returns the class of a colour: n5 for -1, none around 0, p5 for +1. */
function colour(value) {
  const level = Math.round((LEVELS * value) / steps);
  return level ? (level < 0 ? "n" : "p") + Math.abs(level) : "";
}

function title([name, knows, correlation]) {
  return `${name}: ${knows} ${correlation > 0 ? "+" : ""}${correlation.toFixed(2)}`;
}

const choice = make("select", { "aria-label": "Unit" },
  ...units.map((unit, k) => make("option", { value: k }, title(unit))));
const [before, after] = ["Unit before", "Unit after"].map((name, k) =>
  make("button", { type: "button", "aria-label": name }, k ? "\u2192" : "\u2190"));
const told = make("output", { "aria-live": "polite" });
const swatches = [-1, -0.6, -0.2, 0, 0.2, 0.6, 1].map((at) =>
  make("i", { class: colour(at * steps) }));
const scale = make("span", { class: "scale", role: "img", "aria-label": "from -1 to +1" },
  "\u22121", ...swatches, "+1");
const spans = pieces.map((piece) => {
  const shown = make("span", {}, piece);
  if (piece.includes("\n")) shown.prepend(make("b", { class: "end" }));
  return shown;
});
const text = make("div", { class: "text", tabindex: 0, role: "application",
  "aria-roledescription": "text", "aria-label": "Text: left and right move by a token,"
    + " Home and End to its ends" }, ...spans);
document.getElementById("units").replaceChildren(
  make("div", { class: "tools" }, before, choice, after, scale, told), text);

let here = -1; // the token that is read

function value(token) {
  return values[Number(choice.value) * pieces.length + token];
}

function read(token) {
  spans[here]?.classList.remove("here");
  here = Math.min(Math.max(token, 0), pieces.length - 1);
  spans[here].classList.add("here");
  const amount = value(here) / steps;
  told.textContent =
    `${JSON.stringify(pieces[here])} ${amount < 0 ? "\u2212" : "+"}${Math.abs(amount).toFixed(2)}`;
}

function draw() {
  spans.forEach((span, token) => { span.className = colour(value(token)); });
  if (here >= 0) read(here);
}

function choose(unit) {
  choice.value = (unit + units.length) % units.length;
  draw();
}

choice.addEventListener("change", draw);
before.addEventListener("click", () => choose(Number(choice.value) - 1));
after.addEventListener("click", () => choose(Number(choice.value) + 1));
text.addEventListener("pointerover", (event) => {
  const token = spans.indexOf(event.target.closest(".text > span"));
  if (token >= 0) read(token);
});
text.addEventListener("keydown", (event) => {
  const to = { ArrowLeft: here - 1, ArrowRight: here + 1, Home: 0,
    End: pieces.length - 1 }[event.key];
  if (to === undefined) return;
  event.preventDefault();
  read(to);
  spans[here].scrollIntoView({ block: "nearest" });
});
for (const button of document.querySelectorAll("[data-unit]")) {
  button.addEventListener("click", () => {
    choose(Number(button.dataset.unit));
    text.focus({ preventScroll: true });
    text.scrollIntoView({ block: "nearest" });
  });
}
draw();
