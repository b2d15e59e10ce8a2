import { formatCount, formatPercent, formatSmall } from '../../core/format.ts';
import { relativeError, type TensorError, type Verification } from '../../pipeline/verify.ts';
import { renderTable } from './table.ts';
import type { Theme } from './theme.ts';

/** One line of figures. */
export function summarizeVerification(verification: Verification): string {
  const { tokens, kld, maxKld, top1, ppl } = verification;
  return [
    `mean KLD ${formatSmall(kld.mean)} (${limitText(maxKld)})`,
    `top-1 ${formatPercent(top1)}`,
    `perplexity ${ppl.reference.toFixed(2)} -> ${ppl.artifact.toFixed(2)}`,
    `${formatCount(tokens)} tokens`,
  ].join(', ');
}

export function verificationTable(verification: Verification, theme: Theme): string[] {
  const { kld, maxKld, top1, ppl, maxAbsError, engine } = verification;
  const rows = [
    ['mean KLD (nats a token)', formatSmall(kld.mean), limitText(maxKld)],
    ['median KLD', formatSmall(kld.median), ''],
    ['99th percentile KLD', formatSmall(kld.p99), ''],
    ['largest KLD', formatSmall(kld.max), ''],
    ['top-1 agreement', formatPercent(top1), ''],
    ['perplexity of the source', ppl.reference.toFixed(2), ''],
    ['perplexity of the artifact', ppl.artifact.toFixed(2), ''],
    ['largest error of a logit', formatSmall(maxAbsError), ''],
    ...(engine.tokensPerSecond === undefined
      ? []
      : [[`tokens a second (${engine.name})`, engine.tokensPerSecond.toFixed(1), '']]),
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
      { header: `worst of ${tensors.length} tensors` },
      { header: 'scheme' },
      { header: 'relative RMS error', align: 'right' },
      { header: 'largest error', align: 'right' },
    ],
    rows,
    theme.dim,
  );
}

function limitText(maxKld: number | undefined): string {
  return maxKld === undefined ? 'no limit' : `at most ${formatSmall(maxKld)}`;
}
