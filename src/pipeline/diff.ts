import type { Progress } from '../core/jobs/progress.ts';
import type { Model } from '../core/model.ts';
import type { SchemeName } from '../core/scheme.ts';
import { inOneKvBForm } from '../passes/rows/kv-b-form.ts';
import { tensorErrors } from '../verify/tensor-errors.ts';
import { relativeError, type TensorError } from './verify.ts';

/** A value that differs. What a side has not is undefined. */
export interface FieldDifference {
  /** Way to the value, e.g. `config.ropeTheta`, `tokenizer.merges[17]`. */
  readonly field: string;
  readonly a: unknown;
  readonly b: unknown;
  /** Differences of the same list behind this one. */
  readonly more?: number;
}

export interface TensorLayout {
  readonly scheme: SchemeName;
  readonly shape: readonly number[];
}

export interface TensorDifference {
  readonly name: string;
  /** Undefined if a model does not have the tensor. */
  readonly a: TensorLayout | undefined;
  readonly b: TensorLayout | undefined;
  /** Of b from a; undefined where they have not one shape. */
  readonly error: { readonly relativeRms: number; readonly maxAbs: number } | undefined;
}

export interface ModelDiff {
  readonly same: boolean;
  readonly fields: readonly FieldDifference[];
  /** Tensors that differ in layout or in a weight, in the order of a. */
  readonly tensors: readonly TensorDifference[];
  /** Tensors of one scheme that are the same weight by weight. */
  readonly equalTensors: number;
}

export interface DiffOptions {
  /** Default: by cores, memory and model, see `defaultThreads`. */
  readonly threads?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly progress?: Progress | undefined;
}

/**
 * Compares two models: geometry, tokenizer, metadata, and every tensor weight by weight. Where only one of
 * them has kv_b_proj taken apart, that of the other is compared part by part.
 */
export async function diff(a: Model, b: Model, options: DiffOptions = {}): Promise<ModelDiff> {
  const fields = [...differences(described(a), described(b), '')];
  const [left, right] = await inOneKvBForm(a, b);
  const errors = new Map<string, TensorError>();
  for await (const error of tensorErrors(left, right, options)) errors.set(error.name, error);
  const names = [...new Set([...left.tensors.keys(), ...right.tensors.keys()])];
  const all = names.map((name) => describeTensor(name, left, right, errors.get(name)));
  const tensors = all.filter((tensor) => !isEqual(tensor));
  return {
    same: fields.length === 0 && tensors.length === 0,
    fields,
    tensors,
    equalTensors: all.length - tensors.length,
  };
}

function described({ name, format, config, tokenizer, generation, card }: Model) {
  return { name, format, config, tokenizer, generation, card };
}

function* differences(a: unknown, b: unknown, field: string): Generator<FieldDifference> {
  if (Array.isArray(a) && Array.isArray(b)) {
    yield* listDifferences(a, b, field);
  } else if (isRecord(a) && isRecord(b)) {
    for (const key of new Set([...Object.keys(a), ...Object.keys(b)])) {
      yield* differences(a[key], b[key], field === '' ? key : `${field}.${key}`);
    }
  } else if (JSON.stringify(a) !== JSON.stringify(b)) {
    yield { field, a, b };
  }
}

/** The first difference of a list, as vocabularies that are moved by one place differ in all. */
function* listDifferences(
  a: readonly unknown[],
  b: readonly unknown[],
  field: string,
): Generator<FieldDifference> {
  let first: FieldDifference | undefined;
  let more = 0;
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    if (JSON.stringify(a[i]) === JSON.stringify(b[i])) continue;
    if (first === undefined) first = { field: `${field}[${i}]`, a: a[i], b: b[i] };
    else more++;
  }
  if (first !== undefined) yield more === 0 ? first : { ...first, more };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function describeTensor(name: string, a: Model, b: Model, error: TensorError | undefined): TensorDifference {
  return {
    name,
    a: layoutOf(a, name),
    b: layoutOf(b, name),
    error: error && { relativeRms: relativeError(error), maxAbs: error.maxAbsError },
  };
}

function layoutOf({ tensors }: Model, name: string): TensorLayout | undefined {
  const tensor = tensors.get(name);
  return tensor && { scheme: tensor.scheme, shape: tensor.shape };
}

function isEqual({ a, b, error }: TensorDifference): boolean {
  return a?.scheme === b?.scheme && error?.relativeRms === 0 && error.maxAbs === 0;
}
