import type { PlmConfig } from '../../core/config.ts';
import { PressError } from '../../core/errors.ts';

/** GGUF stores both in F32, and so do the kernels that use them. */
const IN_F32: readonly (keyof PlmConfig)[] = ['rmsNormEps', 'ropeTheta'];

/**
 * Throws `verification` where an artifact computes with other hyperparameters than its source, after the
 * passes that it has gone through. Most of them also show in the logits, but an epsilon or a context length
 * hardly does.
 */
export function assertSameConfig(source: PlmConfig, artifact: PlmConfig): void {
  const fields = new Set([...Object.keys(source), ...Object.keys(artifact)] as (keyof PlmConfig)[]);
  for (const field of fields) {
    const [expected, got] = [stored(source, field), stored(artifact, field)];
    if (JSON.stringify(got) === JSON.stringify(expected)) continue;
    const name = field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    const what = 'the artifact has another configuration than its source';
    throw new PressError('verification', { field: `config ${name}`, what, got, expected: String(expected) });
  }
}

function stored(config: PlmConfig, field: keyof PlmConfig) {
  const value = config[field];
  return typeof value === 'number' && IN_F32.includes(field)
    ? Number(Math.fround(value).toPrecision(7))
    : value;
}
