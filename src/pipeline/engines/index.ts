import { isOnnxArtifact } from '../../../formats/onnx/import/open.ts';
import { isBundleArtifact } from '../../../formats/webgpu/import/open.ts';
import { unsupported } from '../../core/errors.ts';
import type { Model } from '../../core/model.ts';
import { PlmRuntime, type RuntimeOptions } from '../../runtime/plm-runtime.ts';
import type { EngineOptions, LogitsEngine } from '../../verify/engine.ts';
import { openInterpreter } from './interpreter.ts';
import { openOnnxRuntime } from './onnxruntime.ts';
import { openWebgpu } from './webgpu.ts';

/**
 * What computes an artifact. `builtin`: the interpreter for graphs of ONNX, the reference runtime for weights alone.
 * `onnxruntime`: ONNX Runtime, where it is installed, for graphs. `webgpu`: a bundle's own kernels, where Dawn is installed.
 */
export const ENGINES = ['builtin', 'onnxruntime', 'webgpu'] as const;

export type Engine = (typeof ENGINES)[number];

/** Whether an engine can run artifacts of this format. */
export function runsFormat(engine: Engine, format: Model['format']): boolean {
  return engine === 'builtin' || format === (engine === 'webgpu' ? 'webgpu' : 'onnx');
}

/** @throws PressError unsupported where the engine cannot run such an artifact or is not installed. */
export async function openEngine(
  model: Model,
  engine: Engine,
  options: EngineOptions & Omit<RuntimeOptions, 'contextLength'>,
): Promise<LogitsEngine & { readonly tokensPerSecond?: number }> {
  if (engine === 'builtin') {
    return isOnnxArtifact(model) ? openInterpreter(model, options) : PlmRuntime.open(model, options);
  }
  if (engine === 'onnxruntime') {
    if (isOnnxArtifact(model)) return openOnnxRuntime(model, options);
    throw unsupported({ what: 'the engine onnxruntime runs graphs of ONNX', got: model.format });
  }
  if (isBundleArtifact(model)) return openWebgpu(model, options);
  throw unsupported({ what: 'WebGPU runs bundles of webgpu:SCHEME', got: model.format });
}
