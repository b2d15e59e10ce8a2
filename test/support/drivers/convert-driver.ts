import { writeSync } from 'node:fs';
import { PressError } from '../../../src/core/errors.ts';
import { closeModel } from '../../../src/core/model.ts';
import { convert } from '../../../src/pipeline/convert.ts';
import { convertPart } from '../../../src/pipeline/parts/convert-part.ts';
import { planTarget } from '../../../src/pipeline/planning/target.ts';
import { openSource } from '../../../src/pipeline/sources/open.ts';

/**
 * A process of its own that converts: `convert-driver SOURCE OUTPUT TARGET [SHARD_SIZE]`, with `--force`
 * implied by the environment variable FORCE, `--resume` by RESUME and `--part 1/2` by SPLIT. Exits with the
 * code of the failure and one line on stderr.
 */
const [source, output, target, shardSize] = process.argv.slice(2) as [string, string, string, string?];
try {
  const model = await openSource(source);
  const options = shardSize === undefined ? {} : { shardSize: Number(shardSize) };
  try {
    const job = {
      model,
      source,
      output,
      threads: 1,
      targets: [await planTarget(model, target, options)],
      force: process.env.FORCE !== undefined,
      resume: process.env.RESUME !== undefined,
    };
    if (process.env.SPLIT === undefined) await convert(job);
    else await convertPart({ ...job, share: { number: 1, of: 2 } });
  } finally {
    await closeModel(model);
  }
} catch (error) {
  if (!(error instanceof PressError)) throw error;
  process.exitCode = error.exitCode;
  writeSync(2, `${error.message}\n`);
}
