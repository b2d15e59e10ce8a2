import type { Tensor } from '../../../src/core/tensor.ts';
import { type FloatType, int, ints } from '../graph/builder.ts';
import type { Placer } from './placer.ts';
import type { Weights } from './weights.ts';

/** Matrices as floats, in the layout of checkpoints: `Gemm` takes them transposed. */
export class FloatWeights implements Weights {
  readonly #placer: Placer;
  readonly #type: FloatType;

  constructor(placer: Placer, type: FloatType) {
    this.#placer = placer;
    this.#type = type;
  }

  vector(tensor: Tensor): string {
    return this.#placer.plain(tensor, this.#type);
  }

  linear(at: string, x: string, tensor: Tensor): string {
    const inputs = [x, this.#placer.plain(tensor, this.#type)];
    return this.#placer.graph.add('Gemm', at, inputs, { attributes: { transB: int(1) } });
  }

  /** Engines transpose the constant when they load it. */
  heads(at: string, x: string, tensor: Tensor): string {
    const { graph } = this.#placer;
    const matrices = this.#placer.plain(tensor, this.#type);
    const transposed = graph.add('Transpose', `${at}/transposed`, [matrices], {
      attributes: { perm: ints([0, 2, 1]) },
    });
    return graph.add('MatMul', at, [x, transposed]);
  }

  embed(at: string, ids: string, tensor: Tensor): string {
    return this.#placer.graph.add('Gather', at, [this.#placer.plain(tensor, this.#type), ids], {
      attributes: { axis: int(0) },
    });
  }
}
