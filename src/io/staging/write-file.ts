import path from 'node:path';
import type { ReplaceOptions } from './replaceable.ts';
import { withStagedOutput } from './staged-output.ts';

/**
 * Writes one file under the commit protocol: absent or whole. Throws `PressError` as `withStagedOutput` and
 * `stage` do.
 */
export async function writeFileWhole(
  file: string,
  content: Uint8Array,
  options: ReplaceOptions,
): Promise<void> {
  const name = path.basename(file);
  await withStagedOutput(path.dirname(file), async (output) => {
    await output.stage([{ name, bytes: content.length }], options);
    await output.write(name, content, 0);
    await output.seal();
    await output.publish();
  });
}
