export interface Rectangle {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/**
 * Divides `area` into rectangles whose areas are proportional to `weights`, in their order, which should
 * descend, and as square as can be (Bruls, Huizing and van Wijk, Squarified Treemaps, 2000).
 */
export function squarify(weights: readonly number[], area: Rectangle): Rectangle[] {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const scale = total === 0 ? 0 : (area.width * area.height) / total;
  const rectangles: Rectangle[] = [];
  let rest = area;
  for (let first = 0; first < weights.length; ) {
    const side = Math.min(rest.width, rest.height);
    let end = first + 1;
    let row = weights[first]! * scale;
    // A row takes more as long as that makes its worst rectangle squarer.
    while (end < weights.length) {
      const longer = row + weights[end]! * scale;
      const [largest, smallest] = [weights[first]! * scale, weights[end]! * scale];
      const before = worstRatio(row, largest, weights[end - 1]! * scale, side);
      if (worstRatio(longer, largest, smallest, side) > before) break;
      row = longer;
      end++;
    }
    const thickness = side === 0 ? 0 : row / side;
    const isColumn = rest.width >= rest.height;
    let at = isColumn ? rest.y : rest.x;
    for (let index = first; index < end; index++) {
      const length = thickness === 0 ? 0 : (weights[index]! * scale) / thickness;
      rectangles.push(
        isColumn
          ? { x: rest.x, y: at, width: thickness, height: length }
          : { x: at, y: rest.y, width: length, height: thickness },
      );
      at += length;
    }
    rest = isColumn
      ? { ...rest, x: rest.x + thickness, width: Math.max(0, rest.width - thickness) }
      : { ...rest, y: rest.y + thickness, height: Math.max(0, rest.height - thickness) };
    first = end;
  }
  return rectangles;
}

/** Of the rectangles of a row that takes `row` of the area along `side`: the largest ratio of two sides. */
function worstRatio(row: number, largest: number, smallest: number, side: number): number {
  return Math.max((side ** 2 * largest) / row ** 2, row ** 2 / (side ** 2 * smallest));
}
