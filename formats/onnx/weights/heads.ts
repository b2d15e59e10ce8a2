import { type GraphBuilder, int } from '../graph/builder.ts';

/**
 * Sends each head of `[batch, heads, n, in]` through a product of its own, `[batch, 1, n, in]` to
 * `[batch, 1, n, out]`.
 */
export function addByHead(
  graph: GraphBuilder,
  at: string,
  x: string,
  heads: number,
  multiply: (at: string, x: string, head: number) => string,
): string {
  const outputs = Array.from({ length: heads }, (_, head) => `${at}/${head}/input`);
  const sizes = graph.integers(outputs.map(() => 1));
  graph.add('Split', `${at}/split`, [x, sizes], { attributes: { axis: int(1) }, outputs });
  const products = outputs.map((input, head) => multiply(`${at}/${head}`, input, head));
  return graph.add('Concat', at, products, { attributes: { axis: int(1) } });
}
