import path from 'node:path';
import type { TensorType } from '../../core/export-plan.ts';
import { formatVersion } from '../../core/json/format-version.ts';
import { parseJson } from '../../core/json/json.ts';
import { choice, object, record, string, where } from '../../core/json/schema.ts';
import type { Model } from '../../core/model.ts';
import { plmTensors } from '../../core/names.ts';
import { SCHEMES, type SchemeName } from '../../core/scheme.ts';
import { assertExists } from '../../io/existing-path.ts';
import { assertReplaceable, type ReplaceOptions } from '../../io/staging/replaceable.ts';
import { writeFileWhole } from '../../io/staging/write-file.ts';
import { readTextFile } from '../../io/text-file.ts';
import type { Allocation } from './allocate.ts';
import { exactly } from './candidates.ts';

const SCHEMA = 'plmpress-scheme-plan';
const VERSION = 1;

const schemePlan = object({
  schema: choice([SCHEMA]),
  version: formatVersion(VERSION),
  /** By GGUF names of matrices. */
  tensors: record(where(string, isWritable, 'a scheme, such as Q4_K')),
});

function isWritable(name: string): name is SchemeName {
  return Object.hasOwn(SCHEMES, name) && SCHEMES[name as SchemeName].canEncode;
}

const MAX_BYTES = 16_000_000;

/**
 * Reads a scheme for each tensor that a file names, as `--save-schemes` writes it or a person has edited it.
 * @throws PressError local-io where it is missing; unsupported where a newer plmpress made it; invalid-input
 * for another schema, a scheme that cannot be written, and a name that is no matrix of the model.
 */
export async function readSchemePlan(file: string, model: Model): Promise<TensorType[]> {
  await assertExists(file);
  const name = path.basename(file);
  const root = parseJson((await readTextFile(file, name, MAX_BYTES)).text, name);
  const { tensors } = schemePlan(root);
  const matrices = new Set(
    plmTensors(model.config).flatMap(({ ggufName, shape }) =>
      ggufName !== undefined && shape.length > 1 ? [ggufName] : [],
    ),
  );
  if (Object.keys(tensors).length === 0) {
    throw root.at('tensors').unexpected('a scheme of one matrix at least');
  }
  return Object.entries(tensors).map(([tensor, scheme]) => {
    if (!matrices.has(tensor)) {
      throw root.at('tensors').at(tensor).unexpected('a scheme of a matrix that the model has');
    }
    return exactly(tensor, scheme);
  });
}

/**
 * Makes sure that a plan can be written, before long work. @throws PressError local-io where its file may not
 * be replaced.
 */
export function assertSchemePlanFile(file: string, options: ReplaceOptions): Promise<void> {
  return assertReplaceable(file, options);
}

/** Writes a plan that `readSchemePlan` reads. @throws PressError as the commit protocol of src/io does. */
export async function writeSchemePlan(
  file: string,
  allocation: Allocation,
  options: ReplaceOptions,
): Promise<void> {
  const { tensors, bytes, predictedKld, measuredKld, tokens } = allocation;
  const plan = {
    schema: SCHEMA,
    version: VERSION,
    bytes,
    predictedKld,
    measuredKld,
    tokens,
    tensors: Object.fromEntries(tensors.map(({ name, scheme }) => [name, scheme])),
    costs: Object.fromEntries(tensors.map(({ name, cost }) => [name, cost])),
  };
  const content = Buffer.from(`${JSON.stringify(plan, null, 2)}\n`);
  await writeFileWhole(file, content, options);
}
