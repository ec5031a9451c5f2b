// Intervals drawn into table cells and verdicts: a point with whiskers on a scale that its rows share.

const log = Math.log10;

// What lies on a logarithmic scale from low to high, in 0 … 1.
function logScale(values) {
  const found = values.filter((value) => value > 0 && Number.isFinite(value));
  if (!found.length) return null;
  let low = log(Math.min(...found));
  let high = log(Math.max(...found));
  if (high - low < 0.3) [low, high] = [low - 0.15, high + 0.15];
  const room = (high - low) * 0.04;
  [low, high] = [low - room, high + room];
  const at = (value) => Math.min(1, Math.max(0, (log(value) - low) / (high - low)));
  return { at, low, high, ticks: logTicks(low, high) };
}

// Decades; where there are fewer than two of them, 2 and 5 as well.
function logTicks(low, high) {
  const wide = high - low > 2.2;
  const made = [];
  const step = Math.max(1, Math.ceil((high - low) / 6));
  for (let decade = Math.floor(low); decade <= Math.ceil(high); decade++) {
    for (const part of wide ? [1] : [1, 2, 5]) {
      const value = part * 10 ** decade;
      if ((!wide || decade % step === 0) && log(value) >= low && log(value) <= high) made.push(value);
    }
  }
  return made;
}

const RANGE_WIDTH = 140;

// The head of a column of ranges: the ticks of its scale.
function rangeHead(scale, unit, label) {
  const picture = svg("svg", { class: "range head", viewBox: `0 0 ${RANGE_WIDTH} 16`, width: RANGE_WIDTH, height: 16, "aria-hidden": "true" });
  let last = -Infinity;
  for (const tick of scale ? scale.ticks : []) {
    const x = 4 + scale.at(tick) * (RANGE_WIDTH - 8);
    const [number, prefixed] = parts(tick, unit, 1);
    if (x - last < 54) continue;
    last = x;
    const anchor = x < 14 ? "start" : x > RANGE_WIDTH - 14 ? "end" : "middle";
    picture.append(svg("text", { x, y: 12, "text-anchor": anchor }, `${Number(number)} ${prefixed}`));
  }
  return el("span", { class: "range-head" }, hidden(label), picture);
}

// One row: whiskers from low to high, a point at value.
function range(scale, low, value, high, kind) {
  const height = 18;
  const picture = svg("svg", { class: `range ${kind || ""}`, viewBox: `0 0 ${RANGE_WIDTH} ${height}`, width: RANGE_WIDTH, height, "aria-hidden": "true" });
  if (!scale || !(value > 0)) return picture;
  const x = (v) => 4 + scale.at(v) * (RANGE_WIDTH - 8);
  const y = height / 2;
  for (const tick of scale.ticks) picture.append(svg("line", { class: "tick", x1: x(tick), x2: x(tick), y1: 0, y2: height }));
  if (low > 0 && high > 0) {
    picture.append(svg("line", { class: "whisker", x1: x(low), x2: x(high), y1: y, y2: y }));
    for (const end of [low, high]) picture.append(svg("line", { class: "whisker", x1: x(end), x2: x(end), y1: y - 3, y2: y + 3 }));
  }
  picture.append(svg("circle", { class: "point", cx: x(value), cy: y, r: 4 }));
  return picture;
}

// A forest plot of one ratio: 1 is marked, left of it is less energy.
function forest(scale, low, value, high, kind, text) {
  const [width, height, side] = [360, 64, 14];
  const picture = svg("svg", { class: `forest ${kind}`, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": text });
  const x = (v) => side + scale.at(v) * (width - 2 * side);
  const [top, base, y] = [6, 42, 24];
  picture.append(svg("rect", { class: "saves", x: side, y: top, width: Math.max(0, x(1) - side), height: base - top }));
  picture.append(svg("line", { class: "axis", x1: side, x2: width - side, y1: base, y2: base }));
  for (const tick of scale.ticks) {
    picture.append(svg("line", { class: "axis", x1: x(tick), x2: x(tick), y1: base, y2: base + 4 }));
    if (Math.abs(x(tick) - x(1)) < 22 && tick !== 1) continue;
    picture.append(svg("text", { x: x(tick), y: base + 17, "text-anchor": "middle" }, tick === 1 ? "1 = equal" : `${Number(tick.toPrecision(2))}`));
  }
  picture.append(svg("line", { class: "one", x1: x(1), x2: x(1), y1: top - 2, y2: base }));
  if (low > 0) picture.append(svg("line", { class: "whisker", x1: x(low), x2: high > 0 ? x(high) : width - side, y1: y, y2: y }));
  for (const end of [low, high]) {
    if (end > 0) picture.append(svg("line", { class: "whisker", x1: x(end), x2: x(end), y1: y - 6, y2: y + 6 }));
  }
  const square = 9;
  picture.append(svg("rect", { class: "point", x: x(value) - square / 2, y: y - square / 2, width: square, height: square }));
  return picture;
}

// A correlation in -1 … 1 with its interval; 0 is marked.
function correlation(low, value, high) {
  const [width, height] = [150, 18];
  const picture = svg("svg", { class: "range", viewBox: `0 0 ${width} ${height}`, width, height, "aria-hidden": "true" });
  const x = (v) => 5 + ((v + 1) / 2) * (width - 10);
  for (const tick of [-1, 0, 1]) picture.append(svg("line", { class: "tick", x1: x(tick), x2: x(tick), y1: 0, y2: height }));
  if (value === null || value === undefined) return picture;
  if (low !== null) picture.append(svg("line", { class: "whisker", x1: x(low), x2: x(high), y1: 9, y2: 9 }));
  picture.append(svg("circle", { class: "point", cx: x(value), cy: 9, r: 4 }));
  return picture;
}
