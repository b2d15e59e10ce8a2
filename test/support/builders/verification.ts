import type { PlmConfig } from '../../../src/core/config.ts';
import { plmTensors } from '../../../src/core/names.ts';
import { fitsScheme, type SchemeName } from '../../../src/core/scheme.ts';
import { byteLength, columnCount } from '../../../src/core/tensor.ts';
import type { RowMetrics, Verification } from '../../../src/pipeline/verify.ts';
import type { PositionText } from '../../../src/verify/worst-positions.ts';

/** Positions of these divergences. */
export function positionsOf(klds: readonly number[]): RowMetrics[] {
  const guess = { id: 0, probability: 0.5 };
  return klds.map((kld) => ({
    kld,
    agrees: true,
    maxAbsError: 1,
    nll: { reference: 1, artifact: 1 },
    guess: { reference: guess, artifact: guess },
  }));
}

/** A position of the worst, with `text` wherever a model's text stands. */
export function worstPosition(text: string, kld = 0.5): PositionText {
  const prediction = { token: text, probability: 0.5, ofNext: 0.25 };
  return {
    index: 300,
    window: 1,
    position: 44,
    kld,
    text,
    next: text,
    reference: prediction,
    artifact: prediction,
  };
}

/**
 * A verification as one of a model of this geometry would be, with matrices in two schemes and errors that
 * vary.
 */
export function verificationOf(config: PlmConfig, changes: Partial<Verification> = {}): Verification {
  const tensors = plmTensors(config).map(({ name, role, layer, shape }, index) => {
    const scheme = schemeOf(shape, index);
    const relativeRmsError = shape.length === 1 ? 0 : 0.02 + 0.01 * (index % 6);
    return {
      name,
      role,
      layer,
      shape,
      scheme,
      bytes: byteLength({ shape, scheme }),
      referenceScheme: 'BF16' as const,
      exact: false,
      rms: 1,
      rmsError: relativeRmsError,
      relativeRmsError,
      maxAbsError: 0.1,
      notFinite: 0,
      worstRow: { row: 0, error: 0.1 },
    };
  });
  const klds = Array.from({ length: 600 }, (_, index) => 10 ** (-4 + 3 * Math.sin(index * index) ** 2));
  const rates = config.intermediateSizes.map((_, layer) => 0.1 + 0.02 * (layer % 5));
  return {
    tokens: klds.length,
    passed: true,
    failures: [],
    maxKld: 0.25,
    engine: { name: 'builtin' },
    kld: { mean: 0.02, median: 0.01, p99: 0.1, max: 0.1 },
    top1: 0.96,
    ppl: { reference: 30, artifact: 30.5 },
    maxAbsError: 1.5,
    contextLength: 256,
    firing: { reference: rates, artifact: rates.map((rate) => rate + 0.01) },
    tensors,
    positions: positionsOf(klds),
    worst: [worstPosition('a token')],
    ...changes,
  };
}

function schemeOf(shape: readonly number[], index: number): SchemeName {
  if (shape.length === 1) return 'F32';
  const scheme = index % 3 === 0 ? 'Q6_K' : 'Q4_K';
  return fitsScheme(scheme, columnCount({ shape })) ? scheme : 'Q8_0';
}
