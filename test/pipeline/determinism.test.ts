import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import { planGguf } from '../../formats/gguf/export.ts';
import { openHfFolder } from '../../formats/hf/import.ts';
import type { PlannedFile } from '../../src/core/export-plan.ts';
import { closeModel, type Model } from '../../src/core/model.ts';
import { openCompute } from '../../src/kernels/compute.ts';
import { planTarget } from '../../src/pipeline/planning/target.ts';
import type { TargetOptions } from '../../src/pipeline/planning/target-options.ts';
import { transcode } from '../../src/pipeline/writing/transcode.ts';
import { SLOTS, sideBytes } from '../../src/pipeline/writing/working-memory.ts';
import { randomImatrix } from '../support/builders/imatrix-files.ts';
import { correlatedStatistics } from '../support/builders/statistics.ts';
import { fixture } from '../support/paths.ts';

/** The file of weights that a plan of a model has. */
type Plan = (model: Model) => PlannedFile | Promise<PlannedFile>;

/** SHA-256 of the tensors of plm-tiny in an artifact, by the way they were made. */
async function digest(plan: Plan, threads: number, slotBytes: number): Promise<string> {
  const model = await openHfFolder(fixture('plm-tiny'));
  const { tensors, bytes } = await plan(model);
  const content = new Uint8Array(bytes);
  const write = async (rows: Uint8Array, offset: number) => content.set(rows, offset);
  const compute = await openCompute({ threads, bytes: SLOTS * slotBytes + sideBytes(tensors) });
  try {
    const sinks = tensors.map((tensor) => ({ tensor, write }));
    await transcode(sinks, { compute, slotBytes, files: model.files });
  } finally {
    await compute.close();
    await closeModel(model);
  }
  return createHash('sha256').update(content).digest('hex');
}

/** Every number of threads and every size of chunks, beside one thread with chunks of 8 MB. */
const WAYS = [
  [1, 64e3],
  [2, 256e6],
  [5, 8e6],
  [5, 64e3],
] as const;

const PLANS: readonly (readonly [string, Plan])[] = [
  ...['q4_k_m', 'q3_k_l', 'iq4_xs', 'q8_0'].flatMap((recipe): (readonly [string, Plan])[] => [
    [recipe, (model) => planGguf(model, { recipe }).files[0]!],
    [
      `${recipe} with importances`,
      (model) => planGguf(model, { recipe, imatrix: randomImatrix(model.config) }).files[0]!,
    ],
  ]),
  ...['f16', 'q8', 'q4'].map(
    (scheme) => [`onnx:${scheme}`, (model: Model) => onnxData(model, scheme)] as const,
  ),
];

async function onnxData(model: Model, scheme: string, options: TargetOptions = {}): Promise<PlannedFile> {
  const { plan } = await planTarget(model, `onnx:${scheme}`, options);
  return plan.files.find(({ name }) => name.endsWith('_data'))!;
}

/** Feedback takes a second to compute, so that fewer ways must do. */
const WITH_FEEDBACK: readonly (readonly [string, Plan])[] = [
  [
    'onnx:q4',
    (model) => onnxData(model, 'q4', { quality: 'best', statistics: correlatedStatistics(model.config) }),
  ],
  [
    'gguf:q3_k_l',
    (model) =>
      planGguf(
        { ...model, statistics: correlatedStatistics(model.config) },
        { recipe: 'q3_k_l', quality: 'best' },
      ).files[0]!,
  ],
];

describe('bytes are the same on any number of threads and in chunks of any size', () => {
  for (const [name, plan] of PLANS) {
    it(name, async () => {
      const reference = await digest(plan, 1, 8e6);
      for (const [threads, slotBytes] of WAYS) {
        assert.equal(
          await digest(plan, threads, slotBytes),
          reference,
          `${threads} threads, ${slotBytes} bytes`,
        );
      }
    });
  }

  for (const [name, plan] of WITH_FEEDBACK) {
    it(`${name} with error feedback`, async () => {
      const reference = await digest(plan, 1, 8e6);
      assert.equal(await digest(plan, 2, 64e3), reference);
    });
  }
});
