/** A job's fields, one f64 each, in the order of jobs.ts. */
export function pointer(fields: usize, index: usize): usize {
  return <usize>load<f64>(fields + (index << 3));
}

export function count(fields: usize, index: usize): i32 {
  return <i32>load<f64>(fields + (index << 3));
}

export function real(fields: usize, index: usize): f64 {
  return load<f64>(fields + (index << 3));
}

/** Bytes of `elements` f32. */
export function floatBytes(elements: usize): usize {
  return elements << 2;
}
