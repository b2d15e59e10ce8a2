import { createHash } from 'node:crypto';
import type { ExportPlan, PlannedFile, SealedFile } from '../../src/core/export-plan.ts';
import { originOf } from '../../src/core/hub-origin.ts';
import type { GenerationConfig, Model } from '../../src/core/model.ts';
import { plmTensors, type TensorSlot } from '../../src/core/names.ts';
import { assertRoundsOnce } from '../../src/core/requantize.ts';
import { describesGeometry, type Statistics } from '../../src/core/statistics.ts';
import { columnCount, type Tensor } from '../../src/core/tensor.ts';
import { calibratedRounding, type Quality } from '../../src/passes/rounding/calibrated-rounding.ts';
import {
  BUNDLE_SCHEMA,
  BUNDLE_VERSION,
  type BundleFile,
  type BundleGeneration,
  type BundleManifest,
  type BundleTensor,
  type SelfTest,
  shardName,
} from '../../src/webgpu/manifest.ts';
import type { Asset, Assets } from './assets.ts';
import { chatFormOf } from './chat-form.ts';
import { MANIFEST_FILE, VOCABULARY_FILE } from './file-names.ts';
import { assertHolds, bundleModel } from './geometry.ts';
import { bundleTensors } from './import/tensors.ts';
import { manifestText } from './manifest-text.ts';
import { memoryOf, requirementsOf } from './requirements.ts';
import { SchemeChooser, type SchemeOptions } from './scheme-choice.ts';
import { STORED_SCHEMES, webgpuSchemeNamed } from './schemes.ts';
import type { SelfTester } from './self-tester.ts';
import { Shards } from './shards.ts';
import { storedLayout, toStoredForm } from './stored-form.ts';

/** Room for the self-test in manifest.json, which is known when the weights are. */
const SELF_TEST_BYTES = 2048;

export interface BundleOptions extends SchemeOptions {
  /** Name in `WEBGPU_SCHEMES`, in any case. */
  readonly scheme: string;
  /** Version of plmpress. */
  readonly version: string;
  /** Passes that have run on the model. */
  readonly passes: readonly string[];
  readonly assets: Assets;
  readonly selfTest: SelfTester;
  /** Greatest size of a file of weights in bytes. Left out, or more than 32 MiB: 32 MiB. */
  readonly shardSize?: number;
  /** Round weights that have been rounded already. */
  readonly allowRequantize?: boolean;
  /**
   * Left out: fast. Error feedback reaches all matrices but down_proj, whose blocks run across its inputs.
   */
  readonly quality?: Quality;
}

/**
 * Plans the folder `webgpu-<scheme>` of a bundle: weights, vocabulary, runtime, page, and a manifest that is
 * made when those are whole.
 * @throws PressError unsupported where kv_b_proj is taken apart, or without `allowRequantize` where a
 * quantized tensor would be rounded again; usage for unknown schemes, patterns that are none and files that
 * are too small.
 */
export function planBundle(model: Model, options: BundleOptions): ExportPlan {
  const { name: scheme } = webgpuSchemeNamed(options.scheme);
  const { config, tokenizer } = model;
  assertHolds(config);
  const chooser = new SchemeChooser(scheme, options);
  const shards = new Shards(options.shardSize);
  const calibrated = calibratedRounding(model, options.quality ?? 'fast');
  const roundingOf = (slot: TensorSlot, tensor: Tensor) => {
    const columns = columnCount(tensor);
    const importance = options.quality === 'best' ? calibrated.importances(slot, columns) : undefined;
    const feedback = calibrated.feedback(slot, columns);
    return {
      ...(importance && { importance }),
      ...(feedback && { feedback }),
    };
  };
  const tensors = plmTensors(config).map((slot): BundleTensor => {
    const source = model.tensors.get(slot.name)!;
    const layout = storedLayout(slot);
    const stored = slot.shape.length === 1 ? 'f32' : chooser.choose(slot);
    if (!options.allowRequantize) {
      const along = layout.layout === 'neurons' ? ' by neurons' : '';
      assertRoundsOnce(source, STORED_SCHEMES[stored], { along });
    }
    const tensor = toStoredForm(slot, source);
    const rounds =
      layout.layout === 'rows' &&
      (stored === 'q4' || stored === 'q8') &&
      source.scheme !== STORED_SCHEMES[stored];
    const places = shards.place({
      ...layout,
      tensor,
      scheme: stored,
      ...(rounds && { rounding: roundingOf(slot, tensor) }),
    });
    return { name: slot.name, scheme: stored, ...layout, ...places };
  });
  const vocabulary: Asset = {
    name: VOCABULARY_FILE,
    bytes: new TextEncoder().encode(`${JSON.stringify(tokenizer)}\n`),
  };
  const { runtime, page } = options.assets;
  const chat = tokenizer.chatTemplate === undefined ? undefined : chatFormOf(tokenizer.chatTemplate);
  const firing = options.quality === 'best' ? unknownFiring(model) : firingOf(model);
  const folder = `webgpu-${scheme}`;
  const shardFiles = shards.files.map(
    ({ bytes, tensors }, index): PlannedFile => ({
      name: `${folder}/w-${index}.bin`,
      nameOf: (sha256) => `${folder}/${shardName(sha256)}`,
      bytes,
      tensors,
      head: [],
    }),
  );
  const draft: BundleManifest = {
    schema: BUNDLE_SCHEMA,
    version: BUNDLE_VERSION,
    name: model.name,
    tool: { name: 'plmpress', version: options.version },
    scheme,
    model: bundleModel(config),
    runtime: describe(runtime),
    tokenizer: describe(vocabulary),
    shards: shardFiles.map(({ bytes }) => ({
      file: shardName(UNKNOWN_SHA256),
      bytes,
      sha256: UNKNOWN_SHA256,
    })),
    tensors,
    ...(chat && { chat }),
    generation: generationOf(model),
    requirements: requirementsOf(tensors),
    memory: memoryOf(config, tensors),
    sources: model.files.map(({ name, bytes }) => ({ file: name, bytes, sha256: UNKNOWN_SHA256 })),
    ...(model.origin && { origin: originOf(model.origin) }),
    passes: options.passes,
    ...(options.quality === 'best' && { quality: 'best' }),
    ...(firing && { firing }),
    selfTest: NO_SELF_TEST,
  };
  return {
    target: `webgpu:${scheme}`,
    files: [
      manifestFile(`${folder}/${MANIFEST_FILE}`, { model, draft, shardFiles, tester: options.selfTest }),
      ...[vocabulary, runtime, ...page].map(({ name, bytes }) => wholeFile(`${folder}/${name}`, bytes)),
      ...shardFiles,
    ],
    fallbacks: [],
    idleTypes: chooser.idleTypes,
    notes: [
      ...calibrated.notes,
      ...(tokenizer.chatTemplate !== undefined && chat === undefined
        ? ['the chat template is none that bundles have a form for: their pages do not chat']
        : []),
    ],
  };
}

function wholeFile(name: string, bytes: Uint8Array): PlannedFile {
  return { name, bytes: bytes.length, head: [{ offset: 0, bytes }], tensors: [] };
}

function describe({ name, bytes }: Asset): BundleFile {
  return { file: name, bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
}

interface ManifestParts {
  readonly model: Model;
  /** With placeholders for what is known when the weights are. */
  readonly draft: BundleManifest;
  readonly shardFiles: readonly PlannedFile[];
  readonly tester: SelfTester;
}

/** The size is that of the longest text that it may become, and what is left at the end is spaces. */
function manifestFile(name: string, { model, draft, shardFiles, tester }: ManifestParts): PlannedFile {
  const bytes = Buffer.byteLength(manifestText(draft)) + SELF_TEST_BYTES;
  const withWeights = (files: readonly Pick<SealedFile, 'readInto'>[]): Model => {
    const open = files.map(({ readInto }, file) => ({ readInto, file }));
    return { ...model, tensors: bundleTensors(model.config, draft.tensors, open).tensors };
  };
  return {
    name,
    bytes,
    head: [],
    tensors: [],
    makingBytes: tester.bytes(withWeights(shardFiles.map(() => UNREADABLE))),
    async make(making) {
      await model.statistics?.finish?.();
      const shards = shardFiles.map((shard) => making.files.get(shard.name)!);
      const text = manifestText({
        ...draft,
        ...(draft.firing && { firing: firingOf(model)! }),
        shards: shards.map(({ bytes, sha256 }) => ({ file: shardName(sha256), bytes, sha256 })),
        sources: await describeFiles(model),
        selfTest: await tester.compute(withWeights(shards), making),
      });
      const padding = bytes - Buffer.byteLength(text);
      if (padding < 0) throw new Error(`${name} is ${-padding} bytes longer than planned`);
      return Buffer.from(`${text.trimEnd()}${' '.repeat(padding)}\n`);
    },
  };
}

const UNKNOWN_SHA256 = '0'.repeat(64);

/** A shard before there is one. */
const UNREADABLE: Pick<SealedFile, 'readInto'> = {
  readInto: () => Promise.reject(new Error('nothing has been written yet')),
};

const NO_SELF_TEST: SelfTest = {
  prompt: [],
  likeliest: [],
  close: [],
  logits: { ids: [], values: [], rms: 0, tolerance: 0 },
};

async function describeFiles({ files }: Model): Promise<BundleFile[]> {
  const described: BundleFile[] = [];
  for (const file of files) {
    described.push({ file: file.name, bytes: file.bytes, sha256: await file.sha256() });
  }
  return described;
}

/**
 * A temperature of 0 means to choose greedily, whatever else is said; tokens seen before are held back then
 * too.
 */
function generationOf({ generation, tokenizer }: Model): BundleGeneration {
  const stop = { stop_token_ids: tokenizer.stopTokenIds };
  const { temperature, repetitionPenalty } = generation;
  const greedy = repetitionPenalty === undefined ? {} : { repetitionPenalty };
  const sampling = samplingOf(temperature === 0 ? greedy : generation);
  return { ...sampling, ...stop };
}

/** What is restricted is sampled, at a temperature of 1 where none is given. */
function samplingOf({ temperature, topK, topP, minP, repetitionPenalty }: GenerationConfig) {
  const samples = [temperature, topK, topP, minP].some((value) => value !== undefined);
  return {
    ...(samples && { temperature: temperature ?? 1 }),
    ...(topK !== undefined && { top_k: topK }),
    ...(topP !== undefined && { top_p: topP }),
    ...(minP !== undefined && { min_p: minP }),
    ...(repetitionPenalty !== undefined && { repetition_penalty: repetitionPenalty }),
  };
}

/** By layer and neuron, to four digits behind the point. */
function firingOf(model: Model): number[][] | undefined {
  const statistics = ownStatistics(model);
  return statistics
    ?.neurons()
    ?.map(({ firings }) =>
      Array.from(firings, (fired) => Number(Math.min(1, fired / statistics.tokens).toFixed(4))),
    );
}

/** Of calibrations that are still to be done: as long as the longest numbers. */
function unknownFiring(model: Model): number[][] | undefined {
  return ownStatistics(model)?.widths.map((neurons) => new Array<number>(neurons).fill(LONGEST_SHARE));
}

const LONGEST_SHARE = 0.1234;

function ownStatistics({ statistics, config }: Model): Statistics | undefined {
  return statistics !== undefined && describesGeometry(statistics, config) ? statistics : undefined;
}
