import { assertReplaceable, type ReplaceOptions } from '../io/staging/replaceable.ts';
import { writeFileWhole } from '../io/staging/write-file.ts';

/** Fails as writing them at the end would: who waits for a long run should know before. Throws `local-io`. */
export async function assertReportFiles(files: readonly string[], options: ReplaceOptions): Promise<void> {
  for (const file of files) await assertReplaceable(file, options);
}

/** Writes a report. @throws PressError as the commit protocol of src/io does. */
export async function writeReportFile(file: string, text: string, options: ReplaceOptions): Promise<void> {
  await writeFileWhole(file, Buffer.from(text), options);
}
