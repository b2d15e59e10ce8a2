import { isOnnxArtifact, type OnnxArtifact } from '../../../formats/onnx/import/open.ts';
import type { BundleArtifact } from '../../../formats/webgpu/import/open.ts';
import { unsupported } from '../../core/errors.ts';
import type { Model } from '../../core/model.ts';
import type { LogitsEngine, Windows } from '../../verify/engine.ts';
import { LayeredLogits, type LayeredLogitsOptions } from '../../verify/layered-logits.ts';
import { SequenceLogits } from '../../verify/sequence-logits.ts';
import { openInterpreter } from './interpreter.ts';
import { openOnnxRuntime } from './onnxruntime.ts';
import { openWebgpu } from './webgpu.ts';

/**
 * What computes an artifact. `builtin`: the interpreter for graphs of ONNX, the reference runtime for weights
 * alone. `onnxruntime`: ONNX Runtime, where it is installed, for graphs. `webgpu`: a bundle's own kernels,
 * where Dawn is installed.
 */
export const ENGINES = ['builtin', 'onnxruntime', 'webgpu'] as const;

export type Engine = (typeof ENGINES)[number];

/** The format that each engine runs. */
const FORMATS: Readonly<
  Record<Exclude<Engine, 'builtin'>, { readonly format: Model['format']; readonly what: string }>
> = {
  onnxruntime: { format: 'onnx', what: 'the engine onnxruntime runs ONNX graphs only' },
  webgpu: { format: 'webgpu', what: '--device webgpu runs WebGPU bundles only' },
};

/** Why an engine cannot run artifacts of this format, if so. */
export function formatFault(engine: Engine, format: Model['format']): string | undefined {
  if (engine === 'builtin' || FORMATS[engine].format === format) return undefined;
  return FORMATS[engine].what;
}

/** @throws PressError unsupported where the engine cannot run artifacts of this format. */
export function assertRunsFormat(engine: Engine, { format }: Model): void {
  const fault = formatFault(engine, format);
  if (fault !== undefined) throw unsupported({ what: fault, got: format });
}

/**
 * Opens an engine for windows of a text.
 * @throws PressError unsupported where the engine cannot run such an artifact or is not installed.
 */
export async function openEngine(
  model: Model,
  engine: Engine,
  windows: Windows,
  options: LayeredLogitsOptions = {},
): Promise<LogitsEngine> {
  assertRunsFormat(engine, model);
  if (engine === 'builtin' && !isOnnxArtifact(model)) return LayeredLogits.open(model, windows, options);
  const open = {
    builtin: () => openInterpreter(model as OnnxArtifact, options),
    onnxruntime: () => openOnnxRuntime(model as OnnxArtifact, options),
    webgpu: () => openWebgpu(model as BundleArtifact, Math.max(...windows.map(({ length }) => length))),
  };
  return new SequenceLogits(await open[engine](), windows);
}
