// Without subgroups, lanes add up through workgroup memory alone.

const NEIGHBORS = 1u;

fn exchanged(value: vec4f, mask: u32) -> vec4f {
  return value;
}
