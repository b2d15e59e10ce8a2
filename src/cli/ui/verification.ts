import {
  formatCounted,
  formatPercent,
  formatPerplexity,
  formatRate,
  formatSmall,
} from '../../core/text/format.ts';
import {
  type Outcome,
  outcomeOf,
  relativeError,
  type TensorError,
  type Verification,
} from '../../pipeline/verify.ts';
import { logHistogram } from '../../report/drawing/histogram.ts';
import { strip } from './terminal/strip.ts';
import { renderFacts, renderTable } from './terminal/table.ts';
import type { Theme } from './terminal/theme.ts';

/** The result of a check as text, in its colour. */
export function outcomeText(word: Outcome | 'verified', theme: Theme): string {
  if (word === 'compared') return theme.bold(word);
  return word === 'failed' ? theme.bad(word) : theme.good(word);
}

/** The checks that have passed if the KLD has no limit. */
export const OTHER_CHECKS = 'tensors, hyperparameters and tokenizer pass';

/** One line of figures. */
export function summarizeVerification(verification: Verification): string {
  const { tokens, kld, maxKld, top1, ppl } = verification;
  const figures = [
    `mean KLD ${formatSmall(kld.mean)} (${limitText(maxKld)})`,
    `top-1 ${formatPercent(top1)}`,
    `perplexity ${formatPerplexity(ppl.reference)} -> ${formatPerplexity(ppl.artifact)}`,
    formatCounted(tokens, 'token'),
  ].join(', ');
  return outcomeOf(verification) === 'compared' ? `${figures}; ${OTHER_CHECKS}` : figures;
}

export function verificationTable(verification: Verification, theme: Theme): string[] {
  const { kld, maxKld, top1, ppl, maxAbsError, engine } = verification;
  const rows = [
    ['mean KLD (nats per token)', formatSmall(kld.mean), limitText(maxKld)],
    ['median KLD', formatSmall(kld.median), ''],
    ['99th percentile KLD', formatSmall(kld.p99), ''],
    ['largest KLD', formatSmall(kld.max), ''],
    ['top-1 agreement', formatPercent(top1), ''],
    ['perplexity of the source', formatPerplexity(ppl.reference), ''],
    ['perplexity of the artifact', formatPerplexity(ppl.artifact), ''],
    ['largest error of a logit', formatSmall(maxAbsError), ''],
    ...(engine.tokensPerSecond === undefined
      ? []
      : [[`tokens per second (${engine.name})`, formatRate(engine.tokensPerSecond) ?? '', '']]),
  ];
  const columns = [{ header: 'measure' }, { header: 'value', align: 'right' as const }, { header: 'limit' }];
  return renderTable(columns, rows, theme.dim);
}

/** Tensors shown: enough to see whether one stands out. */
const WORST = 5;

export function worstTensorTable(tensors: readonly TensorError[], theme: Theme): string[] {
  const rows = tensors
    .slice(0, WORST)
    .map((error) => [
      error.name,
      error.scheme,
      formatSmall(relativeError(error)),
      formatSmall(error.maxAbsError),
    ]);
  return renderTable(
    [
      { header: `worst of ${formatCounted(tensors.length, 'tensor')}` },
      { header: 'scheme' },
      { header: 'relative RMS error', align: 'right' },
      { header: 'largest error', align: 'right' },
    ],
    rows,
    theme.dim,
  );
}

/**
 * How positions spread over magnitudes of KLD, and the error and the firing of every layer, each in a line.
 */
export function verificationStrips(verification: Verification, theme: Theme): string[] {
  const { positions, tensors, firing } = verification;
  const { bins } = logHistogram(positions.map(({ kld }) => kld));
  const counts = bins.map(({ count }) => count);
  const errors = byLayer(tensors);
  const rates = firing?.artifact ?? firing?.reference ?? [];
  const span = (low: number, high: number) => `${formatSmall(low)} to ${formatSmall(high)}`;
  const layers = (values: readonly number[]) =>
    values.length === 1 ? 'layer 0' : `layers 0 to ${values.length - 1}`;
  const rows = [
    ['positions by KLD', counts, () => `${span(bins[0]!.from, bins.at(-1)!.to)} nats`],
    ['largest error', errors, () => `${layers(errors)}, at most ${formatSmall(Math.max(...errors))}`],
    ['neurons that fire', rates, () => `${layers(rates)}, at most ${formatPercent(Math.max(...rates))}`],
  ] as const;
  const shown = rows.filter(([, values]) => values.some((value) => value > 0));
  return renderFacts(
    shown.map(([name, values, range]) => [name, `[${strip(values, theme)}]  ${range()}`] as const),
  );
}

/** The largest relative RMS error of the matrices of each layer. */
function byLayer(tensors: Verification['tensors']): number[] {
  const errors: number[] = [];
  for (const { layer, relativeRmsError } of tensors) {
    if (layer !== undefined) errors[layer] = Math.max(errors[layer] ?? 0, relativeRmsError);
  }
  return errors;
}

function limitText(maxKld: number | undefined): string {
  return maxKld === undefined ? 'no limit' : `at most ${formatSmall(maxKld)}`;
}
