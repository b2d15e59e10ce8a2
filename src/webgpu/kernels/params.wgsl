// What changes from one submission to the next.
struct Params {
  // Of the first token of the batch.
  position: u32,
  tokens: u32,
  // First of the vectors that logits are computed from, or that are gathered.
  row: u32,
  // Positions that one workgroup attends to, and how many such ranges there are.
  split: u32,
  splits: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
