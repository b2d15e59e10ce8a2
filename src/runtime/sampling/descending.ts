/**
 * Yields the indices of the `limit` highest scores from the highest down, ties by index. A heap: the few that
 * a sampler takes from a large vocabulary cost no sort of it.
 */
export function* descending(scores: Float64Array, limit = scores.length): Generator<number, void> {
  const heap = Uint32Array.from(scores, (_, index) => index);
  const before = (a: number, b: number) => scores[a]! > scores[b]! || (scores[a]! === scores[b]! && a < b);

  const sink = (start: number, size: number) => {
    const moved = heap[start]!;
    let at = start;
    for (let child = 2 * at + 1; child < size; child = 2 * at + 1) {
      if (child + 1 < size && before(heap[child + 1]!, heap[child]!)) child++;
      if (!before(heap[child]!, moved)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = moved;
  };

  for (let at = Math.floor(heap.length / 2) - 1; at >= 0; at--) sink(at, heap.length);
  const rest = Math.max(0, heap.length - limit);
  for (let size = heap.length; size > rest; ) {
    yield heap[0]!;
    size--;
    heap[0] = heap[size]!;
    sink(0, size);
  }
}
