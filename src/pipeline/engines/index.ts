import { isOnnxArtifact } from '../../../formats/onnx/import/open.ts';
import { unsupported } from '../../core/errors.ts';
import type { Model } from '../../core/model.ts';
import { PlmRuntime, type RuntimeOptions } from '../../runtime/plm-runtime.ts';
import type { EngineOptions, LogitsEngine } from '../../verify/engine.ts';
import { openInterpreter } from './interpreter.ts';
import { openOnnxRuntime } from './onnxruntime.ts';

/**
 * What computes an artifact. `builtin`: the interpreter for graphs of ONNX, the reference runtime for weights alone.
 * `onnxruntime`: ONNX Runtime, where it is installed.
 */
export const ENGINES = ['builtin', 'onnxruntime'] as const;

export type Engine = (typeof ENGINES)[number];

/** @throws PressError unsupported where the engine cannot run such an artifact or is not installed. */
export async function openEngine(
  model: Model,
  engine: Engine,
  options: EngineOptions & Omit<RuntimeOptions, 'contextLength'>,
): Promise<LogitsEngine & { readonly tokensPerSecond?: number }> {
  if (isOnnxArtifact(model)) {
    return engine === 'builtin' ? openInterpreter(model, options) : openOnnxRuntime(model, options);
  }
  if (engine === 'builtin') return PlmRuntime.open(model, options);
  throw unsupported({ what: `the engine ${engine} runs graphs of ONNX`, got: model.format });
}
