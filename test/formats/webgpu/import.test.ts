import assert from 'node:assert/strict';
import {
  cpSync,
  linkSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { checkBundleFiles, openBundle } from '../../../formats/webgpu/import/open.ts';
import type { Failure } from '../../../src/core/errors.ts';
import { closeModel, type Model } from '../../../src/core/model.ts';
import { openSource } from '../../../src/pipeline/sources/open.ts';
import { memoryModel, tensorValues } from '../../support/builders/memory-model.ts';
import { ODD_PLM } from '../../support/builders/odd-plm.ts';
import { openUntilEnd, readManifest, shardNames, writeBundle } from '../../support/builders/webgpu-bundle.ts';
import { fixture } from '../../support/paths.ts';
import { pressFailure } from '../../support/press-failure.ts';
import { assertRejects } from '../../support/rejects.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

/** A bundle of everything that a manifest may hold, in several shards. */
async function richBundle(t: TestContext): Promise<string> {
  const model = memoryModel(ODD_PLM);
  const neurons = ODD_PLM.intermediateSizes.map((width) => ({
    firings: new Float32Array(width).fill(3),
    means: new Float32Array(width),
    meanSquares: new Float32Array(width),
    fired: new Uint16Array(64 * width),
    outputSquares: new Float32Array(ODD_PLM.hiddenSize),
  }));
  const rich: Model = {
    ...model,
    tokenizer: {
      ...model.tokenizer,
      chatTemplate: JSON.parse(readFileSync(fixture('plm-tiny', 'tokenizer_config.json'), 'utf8'))
        .chat_template,
    },
    generation: { temperature: 0.7, topK: 40, topP: 0.9, minP: 0.05, repetitionPenalty: 1.1 },
    statistics: {
      name: 'stats.gguf',
      sha256: '',
      tokens: 200,
      inputs: new Map(),
      widths: ODD_PLM.intermediateSizes,
      neurons: () => neurons,
    },
  };
  return writeBundle(t, rich, 'q4', { shardSize: 40_000 });
}

// biome-ignore lint/suspicious/noExplicitAny: manifests are damaged in every way
type Damage = (manifest: any) => void;

/** Writes the manifest with a damage, and asserts how it is refused. */
async function assertRefused(
  folder: string,
  damage: Damage,
  message: RegExp,
  failure: Failure = 'invalid-input',
): Promise<void> {
  const file = path.join(folder, 'manifest.json');
  const intact = readFileSync(file);
  const manifest = JSON.parse(intact.toString());
  damage(manifest);
  writeFileSync(file, JSON.stringify(manifest));
  try {
    await assertRejects(folder, () => openBundle(folder), { message, failure });
  } finally {
    writeFileSync(file, intact);
  }
}

type Path = readonly (string | number)[];

/** Ways to all members of a manifest; of lists, to the first item. */
function* waysTo(value: unknown, way: Path = []): Generator<Path> {
  if (way.length > 0) yield way;
  if (Array.isArray(value)) {
    if (value.length > 0) yield* waysTo(value[0], [...way, 0]);
  } else if (typeof value === 'object' && value !== null) {
    for (const [key, member] of Object.entries(value)) yield* waysTo(member, [...way, key]);
  }
}

function parentOf(manifest: unknown, way: Path): Record<string | number, unknown> {
  // biome-ignore lint/suspicious/noExplicitAny: a way through any document
  return way.slice(0, -1).reduce((at: any, key) => at[key], manifest) as Record<string | number, unknown>;
}

/** Members that may be absent, and those whose names are not the schema's. */
const OPTIONAL =
  /^(chat|firing|generation\.(temperature|top_k|top_p|min_p|repetition_penalty)|requirements\.limits\..*)$/;

describe('a damaged manifest is refused', () => {
  it('where a member is missing or of another type', async (t) => {
    const folder = await richBundle(t);
    const ways = [...waysTo(readManifest(folder))];
    assert.ok(ways.length > 90, `${ways.length} members`);
    for (const way of ways) {
      const key = way.at(-1)!;
      const name = way.join('.');
      if (typeof key === 'string' && !OPTIONAL.test(name)) {
        await assertRefused(folder, (manifest) => delete parentOf(manifest, way)[key], /manifest\.json: /);
      }
      for (const wrong of [{ no: 1 }, true, -1.5]) {
        if (name.endsWith('interleave') || name.endsWith('embeddings') || name.endsWith('bias'))
          if (wrong === true) continue;
        // A logit may be any number.
        if (name.startsWith('selfTest.logits.values.') && wrong === -1.5) continue;
        if (name === 'requirements.limits' && typeof wrong === 'object') continue;
        await assertRefused(
          folder,
          (manifest) => {
            parentOf(manifest, way)[key] = wrong;
          },
          /manifest\.json: /,
        );
      }
    }
  });

  const cases: readonly [name: string, damage: Damage, message: RegExp, failure?: Failure][] = [
    [
      'another schema',
      (m) => {
        m.schema = 'other';
      },
      /: schema: wrong value, got "other", expected plmpress-webgpu-bundle/,
    ],
    [
      'a later version',
      (m) => {
        m.version = 2;
      },
      /: version: the file was made by a newer version of plmpress, got 2, expected at most 1: update plmpress, or use the runtime\.js beside it$/,
      'unsupported',
    ],
    [
      'a runtime elsewhere',
      (m) => {
        m.runtime.file = '../runtime.js';
      },
      /: runtime\.file: .*expected a file beside the manifest/,
    ],
    [
      'an absolute name',
      (m) => {
        m.tokenizer.file = '/etc/passwd';
      },
      /: tokenizer\.file: .*a file beside/,
    ],
    [
      'a hidden name',
      (m) => {
        m.tokenizer.file = '.hidden';
      },
      /: tokenizer\.file: .*a file beside/,
    ],
    [
      'a shard elsewhere',
      (m) => {
        m.shards[0].file = `../${m.shards[0].file}`;
      },
      /: shards\[0\]\.file: /,
    ],
    [
      'a shard of another name',
      (m) => {
        m.shards[0].file = 'w-0123456789abcdef.bin';
      },
      /: shards\[0\]\.file: .*the first 16 digits/,
    ],
    [
      'a shard above 32 MiB',
      (m) => {
        m.shards[0].bytes = 2 ** 25 + 1;
      },
      /: shards\[0\]\.bytes: .*from 1 to 33554432/,
    ],
    [
      'a file of another size',
      (m) => {
        m.shards[0].bytes -= 1;
      },
      /: (size differs from manifest\.json, got \d+|tensors\[\d+\])/,
    ],
    [
      'another vocabulary',
      (m) => {
        m.tokenizer.sha256 = '0'.repeat(64);
      },
      /vocabulary\.json: SHA-256 differs from manifest\.json, got /,
      'verification',
    ],
    [
      'an unknown tensor',
      (m) => {
        m.tensors[0].name = 'model.other';
      },
      /: tensors\[0\]\.name: .*a tensor of the model, once/,
    ],
    [
      'a tensor twice',
      (m) => {
        m.tensors[1] = m.tensors[0];
      },
      /: tensors\[1\]\.name: .*once/,
    ],
    [
      'a tensor too few',
      (m) => {
        m.tensors.pop();
      },
      /: tensors: lm_head\.weight is missing/,
    ],
    [
      'another shape',
      (m) => {
        m.tensors[0].columns += 32;
      },
      /: tensors\[0\]\.columns: .*89 by the geometry/,
    ],
    [
      'another layout',
      (m) => {
        m.tensors[0].layout = 'neurons';
      },
      /: tensors\[0\]\.layout: .*rows by the geometry/,
    ],
    [
      'a vector of halves',
      (m) => {
        m.tensors[1].scheme = 'f16';
      },
      /: tensors\[1\]\.scheme: .*expected f32/,
    ],
    [
      'scales of floats',
      (m) => {
        m.tensors[1].scales = m.tensors[1].values;
      },
      /: tensors\[1\]\.scales: .*floats have no scales/,
    ],
    [
      'no scales of blocks',
      (m) => {
        m.tensors[0].scales = [];
      },
      /: tensors\[0\]\.scales: .*291 rows in all/,
    ],
    [
      'a piece outside of its shard',
      (m) => {
        m.tensors[0].values[0].offset = 2 ** 20;
      },
      /: tensors\[0\]\.values\[0\]\.offset: .*bytes inside the/,
    ],
    [
      'a piece that is not aligned',
      (m) => {
        m.tensors[0].values[0].offset += 64;
      },
      /offset: .*a multiple of 256/,
    ],
    [
      'a piece of an unknown shard',
      (m) => {
        m.tensors[0].values[0].shard = 99;
      },
      /shard: .*an integer from 0 to/,
    ],
    [
      'rows too few',
      (m) => {
        m.tensors[0].values[0].rows = 256;
      },
      /: tensors\[0\]\.values: .*291 rows in all/,
    ],
    [
      'rows too many',
      (m) => {
        m.tensors[0].values.at(-1).rows += 1;
      },
      /: tensors\[0\]\.values: .*291 rows in all/,
    ],
    [
      'a piece of odd rows',
      (m) => {
        const [p] = m.tensors[0].values;
        m.tensors[0].values = [
          { ...p, rows: 10 },
          { ...p, rows: 281 },
        ];
      },
      /rows: .*a multiple of 64/,
    ],
    [
      'pieces on one another',
      (m) => {
        m.tensors[2].values[0].offset = m.tensors[1].values[0].offset;
        m.tensors[2].values[0].shard = m.tensors[1].values[0].shard;
      },
      /offset: .*or more, behind tensors\[\d+\]/,
    ],
    [
      'another geometry',
      (m) => {
        m.model.num_attention_heads = 4;
      },
      /by the geometry/,
    ],
    [
      'fewer layers',
      (m) => {
        m.model.intermediate_sizes.pop();
      },
      /a tensor of the model, once/,
    ],
    [
      'no layers',
      (m) => {
        m.model.intermediate_sizes = [];
      },
      /intermediate_sizes: .*at least one layer/,
    ],
    [
      'rates above 1',
      (m) => {
        m.firing[0][0] = 1.1;
      },
      /: firing\[0\]\[0\]: .*0 to 1/,
    ],
    [
      'rates of other neurons',
      (m) => {
        m.firing[0].pop();
      },
      /: firing\[0\]: .*113 neurons/,
    ],
    [
      'a self-test of other tokens',
      (m) => {
        m.selfTest.prompt[0] = 291;
      },
      /selfTest\.prompt\[0\]: .*0 to 290/,
    ],
    [
      'a self-test without answers',
      (m) => {
        m.selfTest.likeliest.pop();
      },
      /likeliest: .*tokens, one per prefix/,
    ],
    [
      'a token to stop at that there is not',
      (m) => {
        m.generation.stop_token_ids = [291];
      },
      /stop_token_ids\[0\]: /,
    ],
  ];
  it('where it contradicts itself, its files or the format', async (t) => {
    const folder = await richBundle(t);
    for (const [name, damage, message, failure] of cases) {
      await t.test(name, () => assertRefused(folder, damage, message, failure));
    }
  });

  it('where it is no strict JSON', async (t) => {
    const folder = await richBundle(t);
    const file = path.join(folder, 'manifest.json');
    const text = readFileSync(file, 'utf8');
    writeFileSync(file, text.replace('"version"', '"schema"'));
    await assertRejects(folder, () => openBundle(folder), {
      message: /manifest\.json: schema: duplicate key/,
    });
  });
});

describe('damaged files', () => {
  const copyOf = (t: TestContext, folder: string): string => {
    const copy = path.join(temporaryFolder(t), 'copy');
    cpSync(folder, copy, { recursive: true });
    return copy;
  };

  it('a vocabulary that is none', async (t) => {
    const folder = copyOf(t, await richBundle(t));
    const file = path.join(folder, 'vocabulary.json');
    writeFileSync(file, readFileSync(file, 'utf8').replace('"the"', '"thf"'));
    await assertRejects(folder, () => openBundle(folder), {
      message: /copy\/vocabulary\.json: SHA-256 differs from manifest\.json, got/,
      failure: 'verification',
    });
  });

  it('a shard that is missing, cut, or a link that leads away', async (t) => {
    const intact = await richBundle(t);
    const [name] = shardNames(intact) as [string];
    const missing = copyOf(t, intact);
    rmSync(path.join(missing, name));
    await assertRejects(missing, () => openBundle(missing), {
      message: /^copy\/w-\w+\.bin: is missing, and manifest\.json names it$/,
      failure: 'verification',
    });
    const cut = copyOf(t, intact);
    truncateSync(path.join(cut, name), 1000);
    await assertRejects(cut, () => openBundle(cut), {
      message: /^copy\/w-\w+\.bin: size differs from manifest\.json, got 1000, expected \d+ bytes/,
      failure: 'verification',
    });
    const away = copyOf(t, intact);
    rmSync(path.join(away, name));
    symlinkSync(path.join(intact, name), path.join(away, name));
    await assertRejects(away, () => openBundle(away), { message: /symbolic link that leads out/ });
    const linked = copyOf(t, intact);
    rmSync(path.join(linked, name));
    linkSync(path.join(intact, name), path.join(linked, name));
    await openUntilEnd(t, linked);
  });

  it('a flipped bit gives no weight, and is found by a check', async (t) => {
    const folder = copyOf(t, await richBundle(t));
    const { file } = readManifest(folder).shards[0]!;
    const bytes = readFileSync(path.join(folder, file));
    bytes[bytes.length - 1]! ^= 1;
    writeFileSync(path.join(folder, file), bytes);
    const bundle = await openUntilEnd(t, folder);
    await assert.rejects(
      tensorValues(bundle.tensors.get('model.embed_tokens.weight')!),
      pressFailure(
        'verification',
        /^copy\/w-\w+\.bin: SHA-256 differs from manifest\.json, got "\w+", expected \w+$/,
      ),
    );
    await assert.rejects(
      checkBundleFiles(bundle),
      pressFailure('verification', /^copy\/w-\w+\.bin: SHA-256 differs from manifest\.json/),
    );
  });

  it('an intact bundle opens by its folder and by its manifest', async (t) => {
    const folder = await richBundle(t);
    for (const spec of [folder, `${folder}/`, path.join(folder, 'manifest.json')]) {
      const model = await openSource(spec);
      try {
        assert.equal(model.format, 'webgpu');
        assert.equal(model.files[0]!.name, 'webgpu-q4/manifest.json');
        assert.deepEqual(model.generation, {
          temperature: 0.7,
          topK: 40,
          topP: 0.9,
          minP: 0.05,
          repetitionPenalty: 1.1,
        });
      } finally {
        await closeModel(model);
      }
    }
    const other = path.join(temporaryFolder(t), 'other');
    mkdirSync(other);
    writeFileSync(path.join(other, 'manifest.json'), '{}');
    await assertRejects(other, () => openSource(other), {
      message: /^other\/manifest\.json: schema: missing/,
    });
  });
});
