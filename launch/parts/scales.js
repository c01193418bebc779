// Scales: from values to places on the screen, and the ticks between.

/** Returns a scale over values, as {at, ticks}: `at` gives NaN where there is no place. */
function scale(low, high, log, from, to) {
  const bend = log ? Math.log10 : (value) => value;
  let [a, b] = [bend(low), bend(high)];
  if (!(b > a)) [a, b] = [a - 0.5, b + 0.5];
  const at = (value) =>
    log && !(value > 0) ? NaN : from + ((bend(value) - a) / (b - a)) * (to - from);
  const room = Math.max(2, Math.round(Math.abs(to - from) / (to > from ? 70 : 45)));
  return { at, ticks: log ? powers(a, b, room) : even(a, b, room) };
}

/** Returns about `count` round numbers from a to b. */
function even(a, b, count) {
  const raw = (b - a) / count;
  const unit = 10 ** Math.floor(Math.log10(raw));
  const step = unit * [1, 2, 5, 10].find((size) => size * unit >= raw * 0.999);
  const found = [];
  for (let k = Math.ceil(a / step - 1e-9); k <= Math.floor(b / step + 1e-9); k++) {
    found.push(Number((k * step).toPrecision(12)));
  }
  return found;
}

/** Returns powers of ten, and multiples of them where these are few. */
function powers(a, b, count) {
  const decades = b - a;
  if (decades < 0.7) return even(10 ** a, 10 ** b, count);
  const parts = decades < 1.5 ? [1, 2, 3, 5, 7] : decades < 3 ? [1, 2, 5] : [1];
  const every = Math.max(1, Math.ceil(decades / count));
  const found = [];
  for (let k = Math.floor(a); k <= b; k++) {
    if (k % every) continue;
    for (const part of parts) {
      const value = Number(`${part}e${k}`);
      if (value >= 10 ** a * 0.999 && value <= 10 ** b * 1.001) found.push(value);
    }
  }
  return found;
}

/** Returns a number as a reader wants it: 12,000 and 0.0005, but 1e-7. */
function shown(value) {
  const size = Math.abs(value);
  if (value !== 0 && (size < 1e-4 || size >= 1e9)) {
    return value.toExponential(4).replace(/\.?0+e/, "e").replace("e+", "e");
  }
  return value.toLocaleString("en", { maximumSignificantDigits: Math.max(
    5, Math.floor(Math.log10(size || 1)) + 1) });
}

/** Returns a number for the ticks of an axis that has little room beside it. */
function brief(value) {
  return Math.abs(value) < 1e5 ? shown(value) : value.toExponential().replace("e+", "e");
}
