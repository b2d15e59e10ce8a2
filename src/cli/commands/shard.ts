import { formatBytes, formatCounted, formatSeconds } from '../../core/format.ts';
import type { ConvertOptions } from '../../pipeline/convert.ts';
import { convertPart } from '../../pipeline/parts/convert-part.ts';
import type { Share } from '../../pipeline/parts/share.ts';
import { peakRss } from '../peak-memory.ts';
import type { Session } from '../session.ts';

/** `convert --shard`: does a share of a conversion that began at `start`, and tells of it. */
export async function writePart(
  session: Session,
  job: ConvertOptions,
  share: Share,
  start: number,
): Promise<void> {
  const { rows, tensors, record } = await convertPart({ ...job, share });
  const seconds = (performance.now() - start) / 1000;
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
