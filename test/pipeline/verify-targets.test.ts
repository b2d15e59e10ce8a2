import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { RECIPES } from '../../formats/gguf/recipes.ts';
import { decodeModel } from '../../formats/onnx/decode.ts';
import { encodeModel } from '../../formats/onnx/encode.ts';
import { isOnnxArtifact } from '../../formats/onnx/import/open.ts';
import { ONNX_SCHEMES } from '../../formats/onnx/schemes.ts';
import { WEBGPU_SCHEMES } from '../../formats/webgpu/schemes.ts';
import type { PlmConfig } from '../../src/core/config.ts';
import type { Imatrix } from '../../src/core/imatrix.ts';
import { closeModel, type Model } from '../../src/core/model.ts';
import { type Graph, isExternal } from '../../src/onnx/graph.ts';
import { parsePassRequest } from '../../src/passes/run.ts';
import { convert } from '../../src/pipeline/convert.ts';
import { planTargets } from '../../src/pipeline/planning/target.ts';
import type { TargetOptions } from '../../src/pipeline/planning/target-options.ts';
import { openSource } from '../../src/pipeline/sources/open.ts';
import { outcomeOf, type VerifyOptions, verify } from '../../src/pipeline/verify.ts';
import { toHalf } from '../../src/schemes/half.ts';
import { SMALL_PLM, SMALL_TOKENIZER } from '../support/builders/hollow-model.ts';
import { randomImatrix } from '../support/builders/imatrix-files.ts';
import { memoryModel } from '../support/builders/memory-model.ts';
import { ODD_PLM } from '../support/builders/odd-plm.ts';
import { madeUpStatistics } from '../support/builders/statistics.ts';
import { sha256Text } from '../support/oracles/digests.ts';
import { fixture } from '../support/paths.ts';

const BARE_GGUF = RECIPES.filter(({ needsImatrix }) => !needsImatrix).map(({ name }) => `gguf:${name}`);
const WEIGHED_GGUF = RECIPES.filter(({ needsImatrix }) => needsImatrix).map(({ name }) => `gguf:${name}`);
const ONNX = ONNX_SCHEMES.map(({ name }) => `onnx:${name}`);
const WEBGPU = WEBGPU_SCHEMES.map(({ name }) => `webgpu:${name}`);

const folder = mkdtempSync(path.join(os.tmpdir(), 'plmpress-test-'));
after(() => rmSync(folder, { recursive: true, force: true }));

/** An artifact, and what verifying it goes by. */
interface Written {
  readonly target: string;
  readonly place: string;
  readonly options: VerifyOptions;
}

async function write(
  model: Model,
  targets: readonly string[],
  options: TargetOptions = {},
): Promise<Written[]> {
  const output = mkdtempSync(path.join(folder, 'out-'));
  const planned = await planTargets(model, targets, options);
  await convert({ model, source: 'memory', targets: planned, output, threads: 1 });
  const { statistics } = options;
  return planned.map(({ plan, passes }) => ({
    target: plan.target,
    place: path.join(output, plan.files[0]!.name),
    options: { threads: 1, maxTokens: 32, passes, ...(statistics && { statistics }) },
  }));
}

/** Every GGUF recipe, ONNX scheme and bundle scheme. */
async function writeAll(model: Model, forGguf: TargetOptions = {}, forOthers = forGguf): Promise<Written[]> {
  return [
    ...(await write(model, BARE_GGUF, forGguf)),
    ...(await write(model, WEIGHED_GGUF, { ...forGguf, imatrix: evenImatrix(model.config) })),
    ...(await write(model, [...ONNX, ...WEBGPU], forOthers)),
  ];
}

/** Says that all columns matter alike. */
function evenImatrix(config: PlmConfig): Imatrix {
  const { entries, ...imatrix } = randomImatrix(config);
  return { ...imatrix, entries: new Map([...entries].map(([name, values]) => [name, values.fill(1)])) };
}

async function failuresOf(source: Model, { place, options }: Written): Promise<readonly string[]> {
  const artifact = await openSource(place);
  try {
    return (await verify(source, artifact, options)).failures;
  } catch (error) {
    return [(error as Error).message];
  } finally {
    await closeModel(artifact);
  }
}

/** Sizes that are multiples of nothing, of what all formats hold. */
const { ffnBias: _, ...PLAIN_PLM } = ODD_PLM;
const ODD: PlmConfig = {
  ...PLAIN_PLM,
  intermediateSizes: [47, 47],
  qLoraRank: undefined,
  tieWordEmbeddings: true,
};

const PRUNABLE: PlmConfig = {
  ...SMALL_PLM,
  vocabSize: 270,
  hiddenSize: 64,
  numAttentionHeads: 2,
  intermediateSizes: [96, 96],
  kvLoraRank: 32,
  qkNopeHeadDim: 24,
  qkRopeHeadDim: 8,
  vHeadDim: 32,
  maxPositionEmbeddings: 32,
};

/** A template that bundles have a form for. */
const chatTemplate = JSON.parse(
  readFileSync(fixture('plm-tiny', 'tokenizer_config.json'), 'utf8'),
).chat_template;

const TOKEN = ['<tool>', '<toll>'] as const;
const PRUNED_PASS = 'prune-ffn:multiple=1,compensation=none';

/** A source, and its artifacts of every target. */
interface Geometry {
  readonly name: string;
  readonly open: () => Promise<Model>;
  readonly write: (source: Model) => Promise<Written[]>;
  /** A token whose text stands nowhere but in vocabularies, and one as long. */
  readonly token: readonly [from: string, to: string];
  /** Default: all. What is damaged is read whole, which takes a while for a real model. */
  readonly damaged?: readonly string[];
}

const GEOMETRIES: readonly Geometry[] = [
  {
    name: 'plm-tiny',
    open: () => openSource(fixture('plm-tiny')),
    write: writeAll,
    token: ['<|im_start|>', '<|im_stort|>'],
    damaged: ['gguf:q8_0', 'onnx:q8', 'webgpu:q8'],
  },
  {
    name: 'sizes that are multiples of nothing',
    open: async () => withTemplate(memoryModel(ODD)),
    write: writeAll,
    token: TOKEN,
  },
  {
    name: 'pruned, by layer where the format holds that',
    open: async () => withTemplate(memoryModel(PRUNABLE)),
    write: (source) => {
      const statistics = madeUpStatistics(PRUNABLE);
      const pruned = (options: string) => ({
        statistics,
        passes: [parsePassRequest(`${PRUNED_PASS},${options}`)],
      });
      return writeAll(source, pruned('ratio=0.3'), pruned('budget=0.2,widths=layer'));
    },
    token: TOKEN,
  },
];

function withTemplate(model: Model): Model {
  return { ...model, tokenizer: { ...SMALL_TOKENIZER, chatTemplate } };
}

describe('the KLD has a limit where that tells damage from rounding', () => {
  const source: Model = { ...memoryModel(PRUNABLE), statistics: madeUpStatistics(PRUNABLE) };

  async function limitsOf(targets: readonly string[], ...passes: string[]): Promise<unknown[]> {
    const { statistics } = source;
    const requests = passes.map(parsePassRequest);
    const written = await write(source, targets, { passes: requests, ...(statistics && { statistics }) });
    return Promise.all(
      written.map(async ({ place, options }) => {
        const artifact = await openSource(place);
        const verification = await verify(source, artifact, options);
        await closeModel(artifact);
        assert.ok(verification.passed);
        return [verification.maxKld, outcomeOf(verification)];
      }),
    );
  }

  it('of a scheme of five bits and more', async () => {
    const targets = ['gguf:q8_0', 'gguf:q5_1', 'gguf:q4_1', 'gguf:tq2_0', 'onnx:q4', 'onnx:q8'];
    const [none, q5, q8] = [
      [undefined, 'compared'],
      [0.06, 'passed'],
      [0.005, 'passed'],
    ];
    assert.deepEqual(await limitsOf(targets), [q8, q5, none, none, none, q8]);
  });

  it('after a pass that may change what is computed, where it has changed nothing', async () => {
    const prune = (options: string) => `prune-ffn:multiple=1,compensation=none${options}`;
    assert.deepEqual(await limitsOf(['gguf:q8_0'], prune('')), [[0.005, 'passed']]);
    assert.deepEqual(await limitsOf(['gguf:q8_0'], prune(',ratio=0.3')), [[undefined, 'compared']]);
  });
});

/** Bytes of a file and what takes their place, as long as they are. */
type Replacement = readonly [from: Buffer | string, to: Buffer | string];

/** Replaces every place in a file that has the bytes; fails where there is none. */
function replaceIn(file: string, [from, to]: Replacement): void {
  const bytes = readFileSync(file);
  const [old, changed] = [Buffer.from(from), Buffer.from(to)];
  assert.equal(changed.length, old.length);
  assert.notEqual(bytes.indexOf(old), -1, `${from} in ${file}`);
  for (let at = bytes.indexOf(old); at >= 0; at = bytes.indexOf(old, at + 1)) changed.copy(bytes, at);
  writeFileSync(file, bytes);
}

/** Files by their names beside `place`, and what changes in each. */
type Damage = (place: string) => readonly (readonly [file: string, ...Replacement])[];

/** A u32 or f32 of a GGUF, with its key. */
function ggufValue(key: string, from: number, to: number, type: 'u32' | 'f32' = 'u32'): Damage {
  const entry = (value: number) => {
    const stored = Buffer.alloc(8);
    stored.writeUInt32LE(type === 'u32' ? 4 : 6, 0);
    if (type === 'u32') stored.writeUInt32LE(value, 4);
    else stored.writeFloatLE(value, 4);
    return Buffer.concat([Buffer.from(key), stored]);
  };
  return (place) => [[place, entry(from), entry(to)]];
}

const inPlace =
  (from: string, to: string): Damage =>
  (place) => [[place, from, to]];

const beside =
  (from: string, to: string, ...files: string[]): Damage =>
  (place) =>
    files.map((file) => [path.join(path.dirname(place), file), from, to]);

/** A change of vocabulary.json that the manifest has the hash of. */
const hashed =
  (from: string, to: string): Damage =>
  (place) => {
    const file = path.join(path.dirname(place), 'vocabulary.json');
    const text = readFileSync(file, 'utf8');
    return [
      [file, from, to],
      [place, sha256Text(text), sha256Text(text.replaceAll(from, to))],
    ];
  };

/**
 * What an artifact states of these models, and something else: by the names that failures have, of each
 * format.
 */
function damagesOf({ config, tokenizer }: Model, token: Geometry['token']) {
  const context = config.maxPositionEmbeddings;
  const { stopTokenIds } = tokenizer;
  const eosTokenId = tokenizer.eosTokenId!;
  const other = stopTokenIds.find((id) => id !== eosTokenId)!;
  const wrong = eosTokenId - 1;
  const template = ["message['role']", "message['rule']"] as const;
  const gguf = (arch: string): Readonly<Record<string, Damage>> => ({
    rms_norm_eps: ggufValue(`${arch}.attention.layer_norm_rms_epsilon`, 1e-6, 1e-3, 'f32'),
    rope_theta: ggufValue(`${arch}.rope.freq_base`, 100_000, 90_000, 'f32'),
    max_position_embeddings: ggufValue(`${arch}.context_length`, context, 4 * context),
    stop_tokens: ggufValue('tokenizer.ggml.eot_token_id', tokenizer.tokens.indexOf('<|im_end|>'), wrong),
    eos_token: ggufValue('tokenizer.ggml.eos_token_id', eosTokenId, other),
    chat_template: inPlace(...template),
    tokens: inPlace(...token),
  });
  const onnx: Readonly<Record<string, Damage>> = {
    rms_norm_eps: inPlace('"rms_norm_eps": 0.000001', '"rms_norm_eps": 0.001000'),
    rope_theta: inPlace('"rope_theta": 100000', '"rope_theta": 190000'),
    max_position_embeddings: inPlace(
      `"max_position_embeddings": ${context}`,
      `"max_position_embeddings": ${context - 1}`,
    ),
    stop_tokens: beside(`${other}`, `${wrong}`, '../generation_config.json'),
    chat_template: beside(...template, '../tokenizer_config.json'),
    tokens: beside(...token, '../tokenizer.json', '../tokenizer_config.json'),
  };
  const webgpu: Readonly<Record<string, Damage>> = {
    rms_norm_eps: inPlace('"rms_norm_eps":0.000001', '"rms_norm_eps":0.001000'),
    rope_theta: inPlace('"rope_theta":100000', '"rope_theta":190000'),
    max_position_embeddings: inPlace(
      `"max_position_embeddings":${context}`,
      `"max_position_embeddings":${context - 1}`,
    ),
    stop_tokens: inPlace(
      `"stop_token_ids":[${stopTokenIds}]`,
      `"stop_token_ids":[${stopTokenIds.map((id) => (id === other ? wrong : id))}]`,
    ),
    chat_template: hashed(...template),
    'chat\\.after': inPlace('"after":"<|im_end|>\\n"', '"after":"<|im_ent|>\\n"'),
    tokens: hashed(...token),
  };
  return { plm: gguf('plm'), deepseek2: gguf('deepseek2'), onnx, webgpu };
}

async function assertNamed(
  source: Model,
  written: Written,
  damages: Readonly<Record<string, Damage>>,
): Promise<void> {
  for (const [name, damage] of Object.entries(damages)) {
    const replacements = damage(written.place);
    const whole = new Map(replacements.map(([file]) => [file, readFileSync(file)]));
    for (const [file, ...replacement] of replacements) replaceIn(file, replacement);
    const failures = await failuresOf(source, written);
    for (const [file, bytes] of whole) writeFileSync(file, bytes);
    const named = new RegExp(`(config|tokenizer|manifest.json:) ${name}`);
    assert.match(failures.join('\n'), named, written.target);
  }
}

for (const { name, open, write: writeTargets, token, damaged } of GEOMETRIES) {
  describe(`${name}, in every target`, () => {
    let source: Model;
    let written: readonly Written[];
    before(async () => {
      source = await open();
      written = await writeTargets(source);
    });
    after(() => closeModel(source));

    it('passes undamaged, with default limits', async () => {
      assert.equal(written.length, 31);
      const failed: string[] = [];
      for (const one of written) {
        for (const failure of await failuresOf(source, one)) failed.push(`${one.target}: ${failure}`);
      }
      assert.deepEqual(failed, []);
    });

    it('fails by the name of what it states differently', async () => {
      const damages = damagesOf(source, token);
      const byFormat = { gguf: damages.plm, onnx: damages.onnx, webgpu: damages.webgpu };
      for (const one of written.filter(({ target }) => damaged?.includes(target) ?? true)) {
        await assertNamed(source, one, byFormat[one.target.split(':')[0] as keyof typeof byFormat]);
      }
    });
  });
}

it('a GGUF for llama.cpp with a cache of latents fails by the name of what it states differently', async () => {
  const source = withTemplate(memoryModel(ODD));
  const [written] = await write(source, ['gguf:q8_0'], { arch: 'deepseek2' });
  await assertNamed(source, written!, damagesOf(source, TOKEN).deepseek2);
});

it('the bundle of a model pruned by layer has a width per layer', async () => {
  const source = memoryModel(PRUNABLE);
  const pass = parsePassRequest(`${PRUNED_PASS},budget=0.2,widths=layer`);
  const [written] = await write(source, ['webgpu:q8'], {
    statistics: madeUpStatistics(PRUNABLE),
    passes: [pass],
  });
  const bundle = await openSource(written!.place);
  const { intermediateSizes } = bundle.config;
  await closeModel(bundle);
  assert.notEqual(...(intermediateSizes as [number, number]));
});

describe('an ONNX folder that says one thing and computes or tells another fails', () => {
  const source = memoryModel(PRUNABLE);
  let written: Written[];

  before(async () => {
    written = await write(source, ['onnx:q4', 'onnx:f16']);
  });

  const GRAPHS: readonly [what: string, edit: (graph: Graph) => Graph, message: RegExp][] = [
    ['an epsilon', attribute('epsilon', 'float', 1e-3), /node ".*norm" epsilon: .* by rms_norm_eps$/],
    [
      'the pairs of RoPE',
      attribute('interleaved', 'int', 0),
      /node ".*rotated" interleaved: .* by rope_interleave$/,
    ],
    [
      'the scale of scores',
      scalar(1 / Math.sqrt(PRUNABLE.qkNopeHeadDim + PRUNABLE.qkRopeHeadDim), 0.5),
      /^mean KLD between the graph/m,
    ],
  ];
  for (const [what, edit, message] of GRAPHS) {
    it(what, async () => {
      for (const one of written) {
        const bytes = readFileSync(one.place);
        const model = decodeModel(bytes, 'model.onnx');
        writeFileSync(one.place, encodeModel({ ...model, graph: edit(model.graph) }));
        const failures = await failuresOf(source, one);
        writeFileSync(one.place, bytes);
        assert.match(failures.join('\n'), message, one.target);
      }
    });
  }

  it('the tables of RoPE', async () => {
    for (const one of written) {
      const artifact = await openSource(one.place);
      assert.ok(isOnnxArtifact(artifact));
      const { data } = artifact.graph.graph.initializers.find(({ name }) => name === 'rope.sin')!;
      await closeModel(artifact);
      assert.ok(isExternal(data));
      const file = path.join(path.dirname(one.place), data.location);
      const bytes = readFileSync(file);
      writeFileSync(file, bytes.with(data.offset + data.length - 1, 0));
      assert.match(
        (await failuresOf(source, one))[0]!,
        /initializer "rope.sin" \[31, 3\]: .* by rope_theta$/,
      );
      writeFileSync(file, bytes);
    }
  });

  const COMPANIONS: readonly [file: string, from: string, to: string, name: RegExp][] = [
    ['config.json', '"rope_theta": 100000', '"rope_theta": 190000', /rope_theta/],
    ['config.json', '259', '257', /eos_token_id/],
    ['genai_config.json', '"context_length": 32', '"context_length": 64', /model\.context_length/],
    ['genai_config.json', '259', '257', /model\.eos_token_id/],
  ];
  for (const [file, from, to, name] of COMPANIONS) {
    it(`${file}: ${from}`, async () => {
      const [one] = written;
      const place = path.join(path.dirname(one!.place), '..', file);
      const bytes = readFileSync(place);
      replaceIn(place, [from, to]);
      const [failure] = await failuresOf(source, one!);
      writeFileSync(place, bytes);
      assert.match(failure ?? 'passed', new RegExp(`^${file}: ${name.source}`));
    });
  }
});

/** Changes an attribute of the last node that has it. */
function attribute(name: string, type: 'float' | 'int', value: number): (graph: Graph) => Graph {
  return (graph) => {
    const at = graph.nodes.findLastIndex(({ attributes }) => attributes[name] !== undefined);
    const node = graph.nodes[at]!;
    const attributes = { ...node.attributes, [name]: { type, value } };
    return { ...graph, nodes: graph.nodes.with(at, { ...node, attributes }) };
  };
}

/** Changes a constant that is known by its name, which is its value. */
function scalar(from: number, to: number): (graph: Graph) => Graph {
  return (graph) => ({
    ...graph,
    initializers: graph.initializers.map((initializer) => {
      if (!initializer.name.endsWith(` ${from}`)) return initializer;
      const stored = initializer.type === 'float' ? Float32Array.of(to) : Uint16Array.of(toHalf(to));
      return { ...initializer, data: new Uint8Array(stored.buffer) };
    }),
  });
}
