/** Channels along a side of a tile. */
export const TILE = 64;

/** Rows of tiles of an upper triangle, each from the diagonal to the right, that one buffer holds. */
export interface Band {
  /** Tiles along a side of the whole triangle. */
  readonly sideTiles: number;
  readonly firstRow: number;
  readonly rows: number;
  readonly bytes: number;
}

const TILE_BYTES = 4 * TILE * TILE;

/** The bands of the products of so many channels: of `most` bytes at most, or a row of tiles. */
export function bandsOf(channels: number, most: number): Band[] {
  const sideTiles = Math.ceil(channels / TILE);
  const bands: Band[] = [];
  for (let firstRow = 0; firstRow < sideTiles; ) {
    let [rows, bytes] = [0, 0];
    while (firstRow + rows < sideTiles) {
      const row = TILE_BYTES * (sideTiles - firstRow - rows);
      if (rows > 0 && bytes + row > most) break;
      rows++;
      bytes += row;
    }
    bands.push({ sideTiles, firstRow, rows, bytes });
    firstRow += rows;
  }
  return bands;
}

/** Adds `weight` times the values of a band to the upper triangle of so many channels, row by row. */
export function addBand(
  { sideTiles, firstRow, rows }: Band,
  values: Float32Array,
  channels: number,
  weight: number,
  triangle: Float64Array,
): void {
  let at = 0;
  for (let tileRow = firstRow; tileRow < firstRow + rows; tileRow++) {
    for (let tileColumn = tileRow; tileColumn < sideTiles; tileColumn++, at += TILE * TILE) {
      const [top, left] = [tileRow * TILE, tileColumn * TILE];
      const right = Math.min(left + TILE, channels);
      for (let row = top; row < Math.min(top + TILE, channels); row++) {
        const to = row * channels - (row * (row + 1)) / 2;
        const from = at + (row - top) * TILE - left;
        for (let column = Math.max(left, row); column < right; column++) {
          triangle[to + column]! += weight * values[from + column]!;
        }
      }
    }
  }
}
