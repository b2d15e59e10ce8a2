/**
 * Names of transformers.js for what a graph computes with, and what each appends to the file's name
 * (utils/dtypes.js).
 */
const SUFFIXES = { fp32: '', fp16: '_fp16', q8: '_quantized', q4: '_q4', q4f16: '_q4f16' } as const;

export type Dtype = keyof typeof SUFFIXES;

/** One graph of an ONNX folder, as far as the files beside it speak of it. */
export interface GraphFile {
  readonly dtype: Dtype;
  /** Name in `GRAPH_FOLDER`, the one that transformers.js asks for. */
  readonly name: string;
  /** Files of weights beside it: `<name>_data`, `<name>_data_1`, and so on. */
  readonly dataFiles: number;
  readonly cache: CacheShape;
}

/**
 * Shapes of a layer's two cache tensors: key [batch, heads, tokens, keyWidth], value [batch, heads, tokens,
 * valueWidth].
 */
export interface CacheShape {
  readonly heads: number;
  readonly keyWidth: number;
  readonly valueWidth: number;
}

/** Whether activations and caches are half floats. */
export function isHalf({ dtype }: Pick<GraphFile, 'dtype'>): boolean {
  return dtype === 'fp16' || dtype === 'q4f16';
}

/** Folder of the graphs, the one that transformers.js looks into. */
export const GRAPH_FOLDER = 'onnx';

/** File name inside `GRAPH_FOLDER`; transformers.js finds a graph by no other. */
export function graphFileName(dtype: Dtype): string {
  return `model${SUFFIXES[dtype]}.onnx`;
}
