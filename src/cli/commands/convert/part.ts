import { formatBytes, formatCounted, formatSeconds } from '../../../core/text/format.ts';
import type { ConvertPartResult } from '../../../pipeline/parts/convert-part.ts';
import type { Share } from '../../../pipeline/parts/share.ts';
import { peakRss } from '../../peak-memory.ts';
import type { Session } from '../../session.ts';

/** Prints the result of one part of a conversion. */
export async function tellPart(
  session: Session,
  share: Share,
  { rows, tensors, record }: ConvertPartResult,
  seconds: number,
): Promise<void> {
  if (session.json) {
    const written = record ?? { dryRun: true, part: share };
    await session.writeJson({ ...written, rows, seconds, peakRss: peakRss() });
  } else if (!session.quiet) {
    const what = session.theme.bold(
      `part ${share.number} of ${share.of}: ${formatCounted(tensors, 'tensor')}`,
    );
    const how = record === undefined ? 'nothing written (--dry-run)' : formatSeconds(seconds);
    await session.writeLines([`${what}, ${formatBytes(rows.bytes)} in ${rows.path}, ${how}`]);
  }
}
