// The tables of the page's data: columns of values, texts that repeat as codes into their levels.

class Table {
  constructor(name, packed) {
    this.name = name;
    this.rows = packed ? packed.rows : 0;
    this.columns = packed ? packed.columns : [];
    this.kinds = new Map(this.columns.map((column) => [column.name, column.kind]));
    this.data = new Map(packed ? Object.entries(packed.data) : []);
  }

  has(name) {
    return this.data.has(name);
  }

  get(name, row) {
    const column = this.data.get(name);
    if (!column) return null;
    if (!column.codes) return column.values[row];
    const code = column.codes[row];
    return code < 0 ? null : column.levels[code];
  }

  // One row as a Map, by the names of columns.
  row(row) {
    return new Map(this.columns.map(({ name }) => [name, this.get(name, row)]));
  }

  // Rows by what `key` says of each, in the order in which they come.
  groups(key) {
    const found = new Map();
    for (let row = 0; row < this.rows; row++) {
      const name = key(row);
      if (!found.has(name)) found.set(name, []);
      found.get(name).push(row);
    }
    return found;
  }

  // All texts that a column has, by how often.
  texts(name) {
    const counts = new Map();
    for (let row = 0; row < this.rows; row++) {
      const value = this.get(name, row);
      if (value !== null && value !== undefined) counts.set(value, (counts.get(value) || 0) + 1);
    }
    return [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
  }

  // A number for each row that sorts as its column does: texts by rank, nothing as NaN.
  keys(name) {
    this.sorted = this.sorted || new Map();
    if (this.sorted.has(name)) return this.sorted.get(name);
    const column = this.data.get(name);
    const keys = new Float64Array(this.rows).fill(NaN);
    if (column) {
      const text = this.kinds.get(name) === "str";
      const levels = column.codes ? column.levels : text ? [...new Set(column.values)] : null;
      const ranks = levels && ranked(levels);
      for (let row = 0; row < this.rows; row++) {
        const value = column.codes ? column.codes[row] : column.values[row];
        if (column.codes) keys[row] = value < 0 ? NaN : ranks.get(levels[value]);
        else if (value !== null) keys[row] = ranks ? ranks.get(value) : Number(value);
      }
    }
    this.sorted.set(name, keys);
    return keys;
  }
}

// Names as people sort them (a2 before a10), but by code where there are so many that it would be felt.
function ranked(levels) {
  const known = levels.filter((level) => level !== null);
  if (known.length > 2000) known.sort();
  else known.sort(new Intl.Collator("en", { numeric: true }).compare);
  return new Map(known.map((level, rank) => [level, rank]));
}

// A permutation of rows by the keys, what has none last in both directions; stable.
function ordered(rows, keys, down) {
  const sign = down ? -1 : 1;
  return rows.sort((a, b) => {
    const x = keys[a];
    const y = keys[b];
    if (x === y) return a - b;
    if (x !== x) return y !== y ? a - b : 1;
    if (y !== y) return -1;
    return x < y ? -sign : sign;
  });
}
