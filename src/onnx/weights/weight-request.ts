import type { Initializer } from '../graph.ts';

/** Reads the bytes of an initializer, all of them, into memory of the caller. */
export type ReadInitializer = (initializer: Initializer, into: Uint8Array) => Promise<void>;

/** What operators may know of constants before anything is read. */
export interface Constants {
  /**
   * The initializer whose elements a value has, in the same order, or with the last two axes exchanged;
   * undefined for values that are computed otherwise.
   */
  source(value: string): ConstantSource | undefined;
}

export interface ConstantSource {
  readonly initializer: Initializer;
  readonly transposed: boolean;
}

interface MatrixRequest {
  /** Inputs of the node that need not be at hand when it runs. */
  readonly instead: readonly number[];
  readonly data: Initializer;
  readonly rows: number;
  readonly columns: number;
}

/** What turns codes in uint8 into those in int8 that Q8_0 has. */
export const BYTES_OFFSET = 128;

/** Floats as they are; `transposed`: the file has columns one behind the other. */
export interface FloatsRequest extends MatrixRequest {
  readonly form: 'floats';
  readonly transposed: boolean;
  /** How many matrices there are. */
  readonly batch: number;
}

/** Blocks of codes with a scale each; see `MatMulNBits`. */
export interface BlocksRequest extends MatrixRequest {
  readonly form: 'blocks';
  readonly scales: Initializer;
  readonly bits: number;
  readonly blockSize: number;
}

/** Codes in uint8, less BYTES_OFFSET. */
export interface BytesRequest extends MatrixRequest {
  readonly form: 'bytes';
  readonly transposed: boolean;
}

export type WeightRequest = FloatsRequest | BlocksRequest | BytesRequest;

/** The same for requests that one matrix answers, as those of a tied embedding and head. */
export function keyOf(request: WeightRequest): string {
  const { form, data, rows, columns } = request;
  return JSON.stringify([form, data.name, rows, columns, ...details(request)]);
}

function details(request: WeightRequest): readonly unknown[] {
  switch (request.form) {
    case 'floats':
      return [request.transposed, request.batch];
    case 'blocks':
      return [request.scales.name, request.bits, request.blockSize];
    case 'bytes':
      return [request.transposed];
  }
}
