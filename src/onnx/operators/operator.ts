import type { Call } from '../check/call.ts';
import type { ValueType } from '../check/value-type.ts';
import type { ElementType } from '../graph.ts';
import type { Elements, TensorValue } from '../value.ts';
import type { Products } from '../weights/products.ts';
import type { StoredMatrix } from '../weights/stored-matrix.ts';
import type { Constants, WeightRequest } from '../weights/weight-request.ts';
import type { OperatorForm } from './form.ts';

/** An output, once its sizes are known. */
export interface OutputType {
  readonly type: ElementType;
  readonly shape: readonly number[];
}

/** A node that runs. */
export interface Execution {
  readonly call: Call;
  /** Undefined where an optional input is left out, or where `weight` stands in for it. */
  readonly inputs: readonly (TensorValue | undefined)[];
  /** As `infer` gives them. */
  readonly outputs: readonly OutputType[];
  /** What the operator asked for with `weights`. */
  readonly weight: StoredMatrix | undefined;
  readonly products: Products;
}

/**
 * What ONNX Runtime's CPU provider does with float16: `moves` its bits, `computes` on it and so rounds what
 * it gives, `widens` what it takes to f32 and gives f32, which is only rounded where a kernel of float16
 * takes it, or `casts`.
 */
export type HalfKernel = 'moves' | 'computes' | 'widens' | 'casts';

/** What a kind of node means. */
export interface Operator extends OperatorForm {
  readonly float16: HalfKernel;
  /** Types of the outputs. Throws `invalid-input` where the inputs do not fit. */
  infer(call: Call): readonly ValueType[];
  /** A constant matrix that shall lie in the working memory, in a form that kernels multiply with. */
  weights?(call: Call, constants: Constants): WeightRequest | undefined;
  /** Elements of the outputs. */
  evaluate(execution: Execution): readonly Elements[];
}

export const FLOATS = ['float', 'float16'] as const satisfies readonly ElementType[];
