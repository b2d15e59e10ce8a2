import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import { openHfFolder } from '../../formats/hf/import.ts';
import { PressError } from '../../src/core/errors.ts';
import { closeModel, type Model } from '../../src/core/model.ts';
import { parsePassRequest } from '../../src/passes/run.ts';
import { planDigest } from '../../src/pipeline/parts/job.ts';
import type { Target } from '../../src/pipeline/planning/planned-target.ts';
import { planTarget } from '../../src/pipeline/planning/target.ts';
import type { TargetOptions } from '../../src/pipeline/planning/target-options.ts';
import type { RecordedTarget } from '../../src/pipeline/record/manifest.ts';
import { replayTarget } from '../../src/pipeline/record/replay.ts';
import { randomImatrix } from '../support/builders/imatrix-files.ts';
import { BLOCKS_OF_256, writeRandomCheckpoint } from '../support/builders/random-checkpoint.ts';
import { correlatedStatistics, fixtureText } from '../support/builders/statistics.ts';
import { pressFailure } from '../support/press-failure.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/** A GGUF asks for permute-rope, an ONNX graph for absorb-mla. */
const CONFIG = { ...BLOCKS_OF_256, intermediate_size: 512, rope_interleave: false };

/** What `plmpress.json` keeps of a target: the text of JSON. */
function recordOf({ plan, options, passes }: Target): RecordedTarget {
  return JSON.parse(JSON.stringify({ target: plan.target, options, passes }));
}

describe('a target is planned again from its record', () => {
  let model: Model;

  const cleanup: (() => void)[] = [];

  before(async () => {
    const folder = path.join(temporaryFolder({ after: (work) => cleanup.push(work as () => void) }), 'plm');
    writeRandomCheckpoint(folder, { config: CONFIG });
    model = await openHfFolder(folder);
  });
  after(async () => {
    await closeModel(model);
    for (const work of cleanup) work();
  });

  const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });
  const scheme = fc.constantFrom('Q4_0', 'Q8_0', 'F16');

  const options = fc.record({
    target: fc.constantFrom(
      'gguf:Q4_K_M',
      'gguf:q3_k_l',
      'gguf:q8_0',
      'onnx:q4',
      'onnx:f16',
      'webgpu:q4',
      'webgpu:Q8',
    ),
    arch: maybe(fc.constantFrom('plm', 'deepseek2')),
    cache: maybe(fc.constantFrom('latent', 'expanded')),
    quality: maybe(fc.constantFrom('fast', 'best')),
    kvBRule: maybe(fc.constantFrom('current', '2025-03')),
    pure: maybe(fc.boolean()),
    tokenEmbedding: maybe(scheme),
    tensorTypes: maybe(
      fc.array(fc.record({ pattern: fc.constantFrom('attn_q=?', 'ffn_(up|down)', '^blk\\.1\\.'), scheme }), {
        maxLength: 3,
      }),
    ),
    shardSize: maybe(fc.constantFrom(200_000, 1_000_000)),
    passes: maybe(
      fc.subarray(
        ['fold-norms', 'prune-ffn:ratio=0.5,multiple=32', 'scale-ffn:alpha=0.5', 'reorder-neurons'].map(
          parsePassRequest,
        ),
      ),
    ),
    withoutPasses: fc.option(fc.constantFrom(['permute-rope'], ['absorb-mla']), { nil: undefined }),
    imatrix: fc.boolean(),
    statistics: fc.boolean(),
  });

  it('whatever the options', async () => {
    const imatrix = randomImatrix(model.config);
    const statistics = { ...correlatedStatistics(model.config), sha256: 'cd'.repeat(32) };
    let planned = 0;
    await fc.assert(
      fc.asyncProperty(options, async ({ target, imatrix: weighs, statistics: knows, ...rest }) => {
        const chosen = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined));
        const given = {
          ...chosen,
          ...(weighs && { imatrix }),
          ...(knows && { statistics }),
        } as TargetOptions;
        const first = await planTarget(model, target, given).catch((error) => {
          if (!(error instanceof PressError)) throw error;
          return undefined;
        });
        if (first === undefined) return;
        planned++;
        const renamed = {
          imatrix: { ...imatrix, name: 'renamed.gguf' },
          statistics: { ...statistics, name: 'renamed.gguf' },
        };
        const again = await replayTarget(model, recordOf(first), renamed);
        assert.deepEqual(recordOf(again), recordOf(first));
        assert.equal(planDigest([again]), planDigest([first]));
      }),
      { numRuns: 60, seed: 1 },
    );
    assert.ok(planned > 15, `${planned} of 60 could be planned`);
  });

  it('where schemes and the width of the FFN were chosen by size, without choosing again', async () => {
    const statistics = { ...correlatedStatistics(model.config), sha256: 'cd'.repeat(32) };
    const texts = [fixtureText('calibration', 200)];
    const first = await planTarget(model, 'gguf:q4_k_m', {
      statistics,
      allocation: { targetBytes: 500_000, ffnWidths: [256], threads: 1, texts },
    });
    assert.equal(first.allocation!.ffnWidth, 256);
    const again = await replayTarget(model, recordOf(first), { statistics });
    assert.deepEqual(recordOf(again), recordOf(first));
    assert.equal(planDigest([again]), planDigest([first]));
  });

  it('but not by other files, nor without them', async () => {
    const imatrix = randomImatrix(model.config);
    const record = recordOf(await planTarget(model, 'gguf:q4_k_m', { imatrix }));
    const made = 'gguf:q4_k_m was made with plm.imatrix.gguf, expected --imatrix FILE';
    await assert.rejects(replayTarget(model, record, {}), pressFailure('usage', new RegExp(`^${made}$`)));
    const other = { imatrix: { ...imatrix, name: 'other.gguf', sha256: '0'.repeat(64) } };
    await assert.rejects(
      replayTarget(model, record, other),
      pressFailure(
        'verification',
        /^other\.gguf: is not the imatrix that gguf:q4_k_m was made with, got "0{64}"/,
      ),
    );
  });

  const refusals: readonly [
    name: string,
    record: RecordedTarget,
    failure: 'unsupported' | 'invalid-input',
    message: RegExp,
  ][] = [
    [
      'an option of a later version',
      { target: 'gguf:q8_0', options: { recipe: 'q8_0', sparkle: true }, passes: [] },
      ...(['unsupported', /^options\.sparkle: this version knows no such option$/] as const),
    ],
    [
      'a value that is none',
      { target: 'gguf:q8_0', options: { recipe: 'q8_0', ggufArch: 'llama' }, passes: [] },
      ...(['invalid-input', /^options\.ggufArch: wrong value, got "llama"$/] as const),
    ],
    [
      'a scheme that is none',
      { target: 'gguf:q8_0', options: { recipe: 'q8_0', tensorTypes: ['attn_q=Q9'] }, passes: [] },
      ...(['invalid-input', /^options\.tensorTypes: wrong value/] as const),
    ],
    ...(
      [
        [
          'a pattern that is not a regular expression',
          '(',
          'invalid-input',
          /^options\.tensorTypes: .* missing closing \)/,
        ],
        [
          'a pattern that repeats too much',
          '(a{999}){999}',
          'invalid-input',
          /^options\.tensorTypes: .* invalid repeat count/,
        ],
        ['a pattern with look-around', '(?!attn)ffn', 'invalid-input', /tensorTypes: .* no look-around/],
      ] as const
    ).map(([name, pattern, failure, message]): (typeof refusals)[number] => [
      name,
      { target: 'gguf:q8_0', options: { recipe: 'q8_0', tensorTypes: [`${pattern}=Q8_0`] }, passes: [] },
      failure,
      message,
    ]),
    [
      'more passes than the stack could hold',
      { target: 'gguf:q8_0', options: { recipe: 'q8_0' }, passes: Array(5000).fill('fold-norms') },
      ...(['unsupported', /cannot be planned again: 5000 passes, expected at most 100/] as const),
    ],
    [
      'an unknown target',
      { target: 'tflite:q8', options: {}, passes: [] },
      ...(['unsupported', /^tflite:q8: cannot be planned again: unknown target/] as const),
    ],
    [
      'a pass that is none',
      { target: 'gguf:q8_0', options: { recipe: 'q8_0' }, passes: ['Sparkle!'] },
      ...(['unsupported', /cannot be planned again: "Sparkle!" is not a pass/] as const),
    ],
  ];
  it('whose patterns explode in other engines', async () => {
    const tensorTypes = ['(w+)+$=Q4_0', '(.*)*.*[!]=Q4_0', '((\\w|\\w\\w)+)+!=Q4_0'];
    const record = {
      target: 'gguf:q8_0',
      options: { recipe: 'q8_0', tensorTypes },
      passes: ['permute-rope'],
    };
    const { plan } = await replayTarget(model, record, {});
    assert.ok(plan.files[0]!.tensors.every(({ scheme }) => scheme !== 'Q4_0'));
  });

  for (const [name, record, failure, message] of refusals) {
    it(`refuses ${name}`, async () => {
      await assert.rejects(replayTarget(model, record, {}), pressFailure(failure, message));
    });
  }
});
