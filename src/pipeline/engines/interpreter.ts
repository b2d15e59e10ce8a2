import type { OnnxArtifact } from '../../../formats/onnx/import/open.ts';
import { OnnxSession } from '../../onnx/session.ts';
import { newElements, type TensorValue } from '../../onnx/value.ts';
import { GraphDecoder } from './graph-decoder.ts';

export interface InterpreterOptions {
  readonly threads?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Runs an artifact's own graph with the built-in interpreter. */
export async function openInterpreter(
  { graph, readInitializer }: OnnxArtifact,
  { threads, signal }: InterpreterOptions,
): Promise<GraphDecoder<TensorValue>> {
  const session = await OnnxSession.open(graph, {
    read: readInitializer,
    threads,
    signal,
  });
  const runner = {
    integers: (values: readonly number[], shape: readonly number[]): TensorValue => ({
      type: 'int64',
      shape,
      data: BigInt64Array.from(values, BigInt),
    }),
    empty: ({ type }: Pick<TensorValue, 'type'>, shape: readonly number[]): TensorValue => ({
      type,
      shape,
      data: newElements(type, 0),
    }),
    floats: ({ data }: TensorValue) => data as Float32Array,
    run: (feeds: Readonly<Record<string, TensorValue>>) => session.run(feeds),
    close: () => session.close(),
  };
  return new GraphDecoder(runner, graph.graph.inputs);
}
