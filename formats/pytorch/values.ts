import type { Dtype } from './dtype.ts';

/**
 * What a pickle of tensors can hold. Nothing here acts: a global is its name, a call is the tensor it
 * describes.
 */
export type Value = null | boolean | number | string | Tuple | Dict | Global | Storage | TensorView;

export class Tuple {
  readonly items: readonly Value[];

  constructor(items: readonly Value[]) {
    this.items = items;
  }
}

export class Dict {
  /** Whether it came from OrderedDict, which may carry `_metadata`. */
  readonly ordered: boolean;
  readonly members = new Map<string, Value>();

  constructor(ordered: boolean) {
    this.ordered = ordered;
  }
}

/** One of the globals that a state dict names, as an inert symbol. */
export class Global {
  readonly name: string;
  /** Of a class of storages. */
  readonly dtype: Dtype | undefined;

  constructor(name: string, dtype: Dtype | undefined) {
    this.name = name;
    this.dtype = dtype;
  }
}

/** What a persistent id names: elements in an entry of the archive. */
export class Storage {
  readonly dtype: Dtype;
  /** Base name of the entry. */
  readonly key: string;
  /** Number of elements. */
  readonly elements: number;

  constructor(dtype: Dtype, key: string, elements: number) {
    this.dtype = dtype;
    this.key = key;
    this.elements = elements;
  }
}

/** A tensor as a window on a storage; offset and strides count elements. */
export class TensorView {
  readonly storage: Storage;
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];

  constructor(storage: Storage, offset: number, shape: readonly number[], strides: readonly number[]) {
    this.storage = storage;
    this.offset = offset;
    this.shape = shape;
    this.strides = strides;
  }
}
