import { formatBytes, formatCounted, formatSeconds } from '../../core/text/format.ts';
import { type MeasuringCost, STEPS, type Step } from '../../pipeline/calibration/cost.ts';

const NAMES: Readonly<Record<Step, string>> = {
  text: 'running the model over the text',
  moments: 'second moments',
  factors: 'factors',
  rounding: 'rounding',
};

/** What `--quality best` will take. */
export function costLines({ tokens, threads, seconds, memory, disk }: MeasuringCost): string[] {
  const total = STEPS.reduce((sum, step) => sum + seconds[step], 0);
  const shares = STEPS.map((step) => `${NAMES[step]} ${Math.round((100 * seconds[step]) / total)} %`);
  const files = disk === 0 ? 'no disk' : `${formatBytes(disk)} of disk`;
  return [
    `--quality best reads ${formatCounted(tokens, 'token')} and takes some ${formatSeconds(total)} on ${formatCounted(threads, 'thread')}:`,
    `  ${shares.join(', ')}`,
    `  ${formatBytes(memory)} of memory and ${files} beside the output`,
  ];
}
