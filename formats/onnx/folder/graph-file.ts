/** What transformers.js calls the schemes of weights and activations (utils/dtypes.js). */
export type Dtype = 'fp32' | 'fp16' | 'q8' | 'q4' | 'q4f16';

/** One graph of an ONNX folder, as far as the files beside it speak of it. */
export interface GraphFile {
  readonly dtype: Dtype;
  /** Name in `GRAPH_FOLDER`, the one that transformers.js asks for. */
  readonly name: string;
  /** Files of weights beside it: `<name>_data`, `<name>_data_1`, and so on. */
  readonly dataFiles: number;
  /** A layer's two cache tensors: key [batch, heads, tokens, keyWidth], value [batch, heads, tokens, valueWidth]. */
  readonly cache: { readonly heads: number; readonly keyWidth: number; readonly valueWidth: number };
}

/** Folder of the graphs, the one that transformers.js looks into. */
export const GRAPH_FOLDER = 'onnx';

/** Whether activations and caches are half floats. */
export function isHalf({ dtype }: GraphFile): boolean {
  return dtype === 'fp16' || dtype === 'q4f16';
}
