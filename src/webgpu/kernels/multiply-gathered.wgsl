// Adds X^T X of gathered vectors to a band of the tiles of an upper triangle: one workgroup a tile, a thread 4 x 4 of its
// products. STEP tokens are summed up on their own first, so that long sums in f32 lose little.

@group(0) @binding(1) var<storage, read> gathered: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> tiles: array<vec4f>;

// Of four channels along a side of a tile.
const QUADS = TILE / 4u;
const THREADS = QUADS * QUADS;
const STEP = THREADS / QUADS;

// By token and quad: of the rows and of the columns of the tile.
var<workgroup> row_values: array<vec4f, THREADS>;
var<workgroup> column_values: array<vec4f, THREADS>;

// Its columns are those of four rows of the tile.
fn outer_product(row: vec4f, column: vec4f) -> mat4x4f {
  return mat4x4f(column * row.x, column * row.y, column * row.z, column * row.w);
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let tile_row = FIRST_ROW + group.y;
  let tile_column = FIRST_ROW + group.x;
  if (tile_column < tile_row) { return; }
  let row_quad = thread / QUADS;
  let column_quad = thread % QUADS;
  var sums = mat4x4f();
  for (var first = 0u; first < params.tokens; first += STEP) {
    let token = first + thread / QUADS;
    let at = token * SIDE_TILES * QUADS + thread % QUADS;
    let is_there = token < params.tokens;
    workgroupBarrier();
    row_values[thread] = select(vec4f(), gathered[at + tile_row * QUADS], is_there);
    column_values[thread] = select(vec4f(), gathered[at + tile_column * QUADS], is_there);
    workgroupBarrier();
    var part = mat4x4f();
    for (var i = 0u; i < THREADS; i += QUADS) {
      part += outer_product(row_values[i + row_quad], column_values[i + column_quad]);
    }
    sums += part;
  }
  // Rows of the band before this one lack the tiles left of the diagonal.
  let tile = group.y * (2u * SIDE_TILES - FIRST_ROW - tile_row + 1u) / 2u + tile_column - tile_row;
  for (var i = 0u; i < 4u; i++) {
    tiles[(tile * TILE + 4u * row_quad + i) * QUADS + column_quad] += sums[i];
  }
}
