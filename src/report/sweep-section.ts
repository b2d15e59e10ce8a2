import { formatCounted } from '../core/text/format.ts';
import type { Lineage } from '../pipeline/artifacts/lineage.ts';
import type { SweepPoint } from '../pipeline/sweep.ts';
import { lineageFacts } from './lineage-facts.ts';
import type { Section } from './panel.ts';
import { mixesPanel } from './panels/mixes.ts';
import { paretoPanel } from './panels/pareto.ts';

/**
 * What a sweep of `target` has found: one point, at least, a size. `facts`: the options that points depend
 * on.
 */
export function sweepSection(
  target: string,
  points: readonly SweepPoint[],
  lineage: Lineage,
  facts: Section['facts'],
): Section {
  const tokens = points[0]?.comparison.tokens ?? 0;
  return {
    title: `Sizes of ${target}`,
    verdict: `${formatCounted(points.length, 'size')}, judged over ${formatCounted(tokens, 'token')}.`,
    failures: [],
    measures: [],
    panels: [paretoPanel(points), mixesPanel(points)],
    facts: [...lineageFacts(lineage), ...facts],
  };
}
