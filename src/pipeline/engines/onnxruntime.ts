import type { InferenceSession, Tensor } from 'onnxruntime-node';
import type { OnnxArtifact } from '../../../formats/onnx/import/open.ts';
import { PressError } from '../../core/errors.ts';
import { GraphDecoder } from './graph-decoder.ts';

/** Not among the dependencies: 288 MB that only who compares with it needs. */
export const ONNX_RUNTIME_PACKAGE = 'onnxruntime-node';

/**
 * Runs a graph in ONNX Runtime.
 * @throws PressError unsupported where the package is not installed, verification where it does not load the
 * graph.
 */
export async function openOnnxRuntime(
  { graph, graphPath }: OnnxArtifact,
  { threads }: { readonly threads?: number | undefined },
): Promise<GraphDecoder<Tensor>> {
  if (graphPath === undefined) throw new Error('a graph that is not on this machine is not run');
  const { InferenceSession: Session, Tensor: OrtTensor } = await loadOnnxRuntime();
  let session: InferenceSession;
  try {
    session = await Session.create(graphPath, {
      logSeverityLevel: 3,
      ...(threads !== undefined && { intraOpNumThreads: threads }),
    });
  } catch (cause) {
    const [what] = (cause as Error).message.split('\n');
    throw new PressError('verification', { what: `ONNX Runtime rejects the graph: ${what}` }, { cause });
  }
  const runner = {
    integers: (values: readonly number[], shape: readonly number[]) =>
      new OrtTensor('int64', BigInt64Array.from(values, BigInt), shape),
    empty: ({ type }: { readonly type: string }, shape: readonly number[]) =>
      type === 'float16'
        ? new OrtTensor('float16', new Uint16Array(0), shape)
        : new OrtTensor('float32', new Float32Array(0), shape),
    floats: (value: Tensor) => value.data as Float32Array,
    run: (feeds: Readonly<Record<string, Tensor>>) => session.run(feeds),
    close: () => session.release(),
  };
  return new GraphDecoder(runner, graph.graph.inputs);
}

/** @throws PressError unsupported where the package is not installed. */
export async function loadOnnxRuntime(): Promise<typeof import('onnxruntime-node')> {
  const runtime = await importOnnxRuntime();
  settleFloat16(runtime);
  return runtime;
}

async function importOnnxRuntime(): Promise<typeof import('onnxruntime-node')> {
  try {
    return await import(ONNX_RUNTIME_PACKAGE);
  } catch (cause) {
    const expected = `the package ${ONNX_RUNTIME_PACKAGE} beside plmpress: \`npm install ${ONNX_RUNTIME_PACKAGE}\``;
    throw new PressError(
      'unsupported',
      { what: 'the engine onnxruntime is not installed', expected },
      { cause },
    );
  }
}

/**
 * Has tensors of float16 hold a Uint16Array. ONNX Runtime 1.30 takes a Float16Array, which Node has from 23
 * on, for empty (microsoft/onnxruntime, pull request 32323). Its package looks for that class once, when it
 * makes the first tensor.
 */
function settleFloat16({ Tensor: OrtTensor }: typeof import('onnxruntime-node')): void {
  const known = Object.getOwnPropertyDescriptor(globalThis, 'Float16Array');
  if (known === undefined) return;
  Reflect.deleteProperty(globalThis, 'Float16Array');
  try {
    new OrtTensor('bool', [true]);
  } finally {
    Object.defineProperty(globalThis, 'Float16Array', known);
  }
}
