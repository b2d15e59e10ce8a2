import { elementCount } from '../core/tensor.ts';
import {
  formatBytes,
  formatCount,
  formatCounted,
  formatPercent,
  formatPerplexity,
  formatSmall,
} from '../core/text/format.ts';
import type { Lineage } from '../pipeline/artifacts/lineage.ts';
import { type Outcome, outcomeOf, type Verification } from '../pipeline/verify.ts';
import { lineageFacts } from './lineage-facts.ts';
import type { Measure, Panel, Section } from './panel.ts';
import { firingPanel } from './panels/firing.ts';
import { kldAlongTextPanel, kldByPositionPanel } from './panels/kld-curve.ts';
import { kldHistogramPanel } from './panels/kld-histogram.ts';
import { sizesPanel } from './panels/sizes.ts';
import { tensorErrorsPanel } from './panels/tensor-errors.ts';
import { worstPositionsPanel } from './panels/worst-positions.ts';

/** All that a verification has found out about one artifact, which people call `title`. */
export function verificationSection(title: string, verification: Verification, lineage: Lineage): Section {
  const { failures, tokens, tensors, contextLength } = verification;
  const outcome = outcomeOf(verification);
  return {
    title,
    failures,
    // A figure without a limit is judged by who reads it.
    ...(outcome !== 'compared' && { passed: outcome === 'passed' }),
    verdict: `${VERDICTS[outcome]}, over ${formatCounted(tokens, 'token')}.`,
    measures: measures(verification),
    panels: [
      sizesPanel(tensors),
      tensorErrorsPanel(tensors),
      kldHistogramPanel(verification),
      kldByPositionPanel(verification),
      // In one window both curves are the same.
      ...(tokens > contextLength ? [kldAlongTextPanel(verification)] : []),
      firingPanel(verification),
      worstPositionsPanel(verification.worst),
    ] satisfies Panel[],
    facts: [
      ...lineageFacts(lineage),
      ['engine', verification.engine.name],
      ['tokens', `${formatCount(tokens)}, in windows of ${formatCount(contextLength)}`],
    ],
  };
}

const VERDICTS: Readonly<Record<Outcome, string>> = {
  passed: 'Matches its source',
  compared: 'Its tensors, hyperparameters and tokenizer pass; its divergence was measured without a limit',
  failed: 'Differs from its source by more than its schemes explain',
};

/** An artifact that could not be compared, for what `failures` say. */
export function refusalSection(title: string, failures: readonly string[]): Section {
  const verdict = 'It could not be compared with its source.';
  return { title, passed: false, verdict, failures, measures: [], panels: [], facts: [] };
}

function measures({ kld, maxKld, top1, ppl, maxAbsError, tensors }: Verification): Measure[] {
  const bytes = tensors.reduce((sum, tensor) => sum + tensor.bytes, 0);
  const weights = tensors.reduce((sum, tensor) => sum + elementCount(tensor), 0);
  const change = 100 * (ppl.artifact / ppl.reference - 1);
  return [
    {
      name: 'mean KLD',
      value: formatSmall(kld.mean),
      remark:
        maxKld === undefined ? 'nats per token, no limit' : `nats per token, at most ${formatSmall(maxKld)}`,
    },
    {
      name: 'median KLD',
      value: formatSmall(kld.median),
      remark: `99th percentile ${formatSmall(kld.p99)}, largest ${formatSmall(kld.max)}`,
    },
    { name: 'top-1 agreement', value: formatPercent(top1), remark: 'the same likeliest token' },
    {
      name: 'perplexity',
      value: formatPerplexity(ppl.artifact),
      remark: `${formatPerplexity(ppl.reference)} of the source, ${change < 0 ? '' : '+'}${change.toFixed(2)} %`,
    },
    { name: 'largest error', value: formatSmall(maxAbsError), remark: 'of a logit' },
    {
      name: 'weights',
      value: formatBytes(bytes),
      remark: `${((8 * bytes) / weights).toFixed(2)} bits per weight`,
    },
  ];
}
