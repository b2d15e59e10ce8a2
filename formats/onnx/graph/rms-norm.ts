import { float, type GraphBuilder, int } from './builder.ts';

/** RMSNorm, with the sum before it where there is one: both are one kernel. */
export class RmsNorm {
  readonly #graph: GraphBuilder;
  readonly #epsilon: number;

  constructor(graph: GraphBuilder, epsilon: number) {
    this.#graph = graph;
    this.#epsilon = epsilon;
  }

  /** The norm of `x + update` and the sum itself. */
  ofSum(
    name: string,
    x: string,
    update: string,
    gamma: string,
  ): { readonly normed: string; readonly sum: string } {
    const sum = `${name}/sum`;
    this.#graph.add('SkipSimplifiedLayerNormalization', name, [update, x, gamma], {
      domain: 'com.microsoft',
      attributes: { epsilon: float(this.#epsilon) },
      outputs: [name, '', '', sum],
    });
    return { normed: name, sum };
  }

  of(name: string, x: string, gamma: string): string {
    return this.#graph.add('SimplifiedLayerNormalization', name, [x, gamma], {
      attributes: { axis: int(-1), epsilon: float(this.#epsilon), stash_type: int(1) },
    });
  }
}
