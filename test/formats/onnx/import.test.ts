import assert from 'node:assert/strict';
import {
  chmodSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { after, before, describe, it, type TestContext } from 'node:test';
import { openHfFolder } from '../../../formats/hf/import.ts';
import { decodeModel } from '../../../formats/onnx/decode.ts';
import { encodeModel } from '../../../formats/onnx/encode.ts';
import { METADATA } from '../../../formats/onnx/metadata.ts';
import type { Failure } from '../../../src/core/errors.ts';
import { closeModel, type Model } from '../../../src/core/model.ts';
import type { ExternalData, Initializer, OnnxModel } from '../../../src/onnx/graph.ts';
import { convert } from '../../../src/pipeline/convert.ts';
import { locateIn } from '../../../src/pipeline/formats/model-at.ts';
import { planTargets } from '../../../src/pipeline/planning/target.ts';
import { openSource } from '../../../src/pipeline/sources/open.ts';
import { SMALL_PLM } from '../../support/builders/hollow-model.ts';
import { memoryModel, storedBytes, tensorValues } from '../../support/builders/memory-model.ts';
import { exportOnnx, openExported } from '../../support/builders/onnx-artifact.ts';
import { fixture } from '../../support/paths.ts';
import { pressFailure } from '../../support/press-failure.ts';
import { asUnprivileged, NO_PERMISSIONS } from '../../support/privileges.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const SCHEMES = ['f32', 'f16', 'q8', 'q4', 'q4f16'];

describe('an ONNX artifact read back', () => {
  it('has the geometry, the tokenizer and, in f32, the weights of its source', async (t) => {
    const source = await openHfFolder(fixture('plm-tiny'));
    t.after(() => closeModel(source));
    const [target] = await planTargets(source, ['onnx:f32']);
    const artifact = await openExported(t, await exportOnnx(t, source, 'f32'));
    assert.deepEqual(artifact.config, target!.model.config);
    assert.deepEqual({ ...artifact.tokenizer, stopTokenIds: [] }, { ...source.tokenizer, stopTokenIds: [] });
    assert.deepEqual(artifact.generation, source.generation);
    assert.equal(artifact.name, source.name);
    for (const [name, tensor] of target!.model.tensors) {
      assert.deepEqual(await tensorValues(artifact.tensors.get(name)!), await tensorValues(tensor), name);
    }
  });

  it('has the blocks that were encoded, whatever the order of their bytes in the graph', async (t) => {
    const model = memoryModel(SMALL_PLM);
    const [q4, gguf] = [
      await openExported(t, await exportOnnx(t, model, 'q4')),
      memoryModel(SMALL_PLM, { scheme: 'Q4_0' }),
    ];
    for (const role of ['self_attn.q_proj', 'mlp.up_proj', 'mlp.down_proj']) {
      const name = `model.layers.1.${role}.weight`;
      assert.equal(q4.tensors.get(name)!.scheme, 'Q4_0');
      assert.deepEqual(
        await storedBytes(q4.tensors.get(name)!),
        await storedBytes(gguf.tensors.get(name)!),
        name,
      );
    }
  });

  it('keeps rows that are no whole number of blocks, and reads any run of rows', async (t) => {
    const model = memoryModel({
      ...SMALL_PLM,
      numAttentionHeads: 3,
      qkNopeHeadDim: 20,
      intermediateSizes: [70, 45],
    });
    for (const scheme of ['q8', 'q4', 'q4f16']) {
      const artifact = await openExported(t, await exportOnnx(t, model, scheme));
      for (const tensor of artifact.tensors.values()) {
        const whole = await storedBytes(tensor);
        const rows = tensor.shape.slice(0, -1).reduce((product, size) => product * size, 1);
        const some = { first: Math.floor(rows / 3), count: Math.max(1, Math.floor(rows / 2)) };
        const part = new Uint8Array((whole.length / rows) * some.count);
        await tensor.readRows(some, part);
        const start = (whole.length / rows) * some.first;
        assert.deepEqual(part, whole.slice(start, start + part.length), tensor.name);
      }
    }
  });

  it('holds per-layer widths and a bias of down_proj', async (t) => {
    const model = memoryModel({ ...SMALL_PLM, intermediateSizes: [64, 200], ffnBias: true });
    const artifact = await openExported(t, await exportOnnx(t, model, 'q4'));
    assert.deepEqual(artifact.config.intermediateSizes, [64, 200]);
    const bias = 'model.layers.1.mlp.down_proj.bias';
    assert.deepEqual(
      await tensorValues(artifact.tensors.get(bias)!),
      await tensorValues(model.tensors.get(bias)!),
    );
  });

  it('opens by the folder, by the folder of graphs and by either name of the graph', async (t) => {
    const folder = await exportOnnx(t, memoryModel(SMALL_PLM), 'q8');
    for (const name of ['', 'onnx', 'onnx/model_quantized.onnx', 'onnx/model_q8.onnx']) {
      await closeModel(await openSource(path.join(folder, name)));
    }
  });

  it('of several must be named', async (t) => {
    const model = memoryModel(SMALL_PLM);
    const output = path.join(temporaryFolder(t), 'several');
    await convert({
      model,
      source: 'memory',
      targets: await planTargets(model, ['onnx:f32', 'onnx:q4']),
      output,
    });
    await assert.rejects(
      openSource(output),
      pressFailure(
        'usage',
        /holds 2 models, name one of them: \S+onnx\/model\.onnx, \S+onnx\/model_q4\.onnx$/,
      ),
    );
    await closeModel(await openSource(path.join(output, 'onnx', 'model_q4.onnx')));
  });

  it('that is not there is a fault of this machine', async (t) => {
    const missing = path.join(temporaryFolder(t), 'missing');
    const expected = pressFailure('local-io', /missing: no such file or folder \(ENOENT\)$/);
    await assert.rejects(locateIn(missing), expected);
  });

  it('that may not be read is one too', { skip: NO_PERMISSIONS }, async (t) => {
    const closed = temporaryFolder(t);
    chmodSync(closed, 0o311);
    await assert.rejects(
      asUnprivileged(() => locateIn(closed)),
      pressFailure('local-io', /: permission denied \(EACCES\)$/),
    );
    const open = temporaryFolder(t);
    chmodSync(open, 0o755);
    writeFileSync(path.join(open, 'a.gguf'), '');
    mkdirSync(path.join(open, 'onnx'), { mode: 0o311 });
    await assert.rejects(
      asUnprivileged(() => locateIn(open)),
      pressFailure('local-io', /^onnx: permission denied \(EACCES\)$/),
    );
  });

  it('lies beside the weights of a checkpoint, which is then what opens', async (t) => {
    const folder = path.join(temporaryFolder(t), 'checkpoint');
    cpSync(fixture('plm-tiny'), folder, { recursive: true });
    cpSync(path.join(await exportOnnx(t, memoryModel(SMALL_PLM), 'f32'), 'onnx'), path.join(folder, 'onnx'), {
      recursive: true,
    });
    const model = await openSource(folder);
    assert.equal(model.format, 'safetensors');
    await closeModel(model);
  });

  it('opens in the cache of the Hub, where files are links to blobs', async (t) => {
    const exported = await exportOnnx(t, memoryModel(SMALL_PLM), 'q4');
    const cache = path.join(temporaryFolder(t), 'models--org--name');
    const snapshot = path.join(cache, 'snapshots', 'abc');
    mkdirSync(path.join(snapshot, 'onnx'), { recursive: true });
    mkdirSync(path.join(cache, 'blobs'));
    const names = readdirSync(exported, { recursive: true, encoding: 'utf8' }).filter((name) =>
      /\.\w+$/.test(name),
    );
    for (const [index, name] of names.entries()) {
      cpSync(path.join(exported, name), path.join(cache, 'blobs', String(index)));
      const up = name.split(path.sep).map(() => '..');
      symlinkSync(path.join(...up, '..', 'blobs', String(index)), path.join(snapshot, name));
    }
    await closeModel(await openSource(snapshot));
    await closeModel(await openSource(path.join(snapshot, 'onnx', 'model_q4.onnx')));
  });

  it('is split into files of the size that is asked for', async (t) => {
    const model = memoryModel(SMALL_PLM);
    for (const scheme of SCHEMES) {
      const whole = await openExported(t, await exportOnnx(t, model, scheme));
      const split = await openExported(t, await exportOnnx(t, model, scheme, { shardSize: 600_000 }));
      assert.ok(split.files.filter(({ name }) => name.includes('onnx_data')).length > 1);
      for (const { name, bytes } of split.files)
        if (name.includes('_data')) assert.ok(bytes <= 600_000, name);
      for (const [name, tensor] of whole.tensors) {
        assert.deepEqual(await storedBytes(split.tensors.get(name)!), await storedBytes(tensor), name);
      }
    }
  });
});

/** Rewrites the graph of an artifact. */
function rewrite(folder: string, change: (model: OnnxModel) => OnnxModel): void {
  const file = path.join(folder, 'onnx', 'model_q4.onnx');
  writeFileSync(file, encodeModel(change(decodeModel(readFileSync(file), 'model_q4.onnx'))));
}

/** The same model with the first initializer that lies in a file changed. */
function withInitializer(
  change: (initializer: Initializer & { data: ExternalData }) => Partial<Initializer>,
) {
  return (model: OnnxModel): OnnxModel => {
    const initializers = model.graph.initializers.map((one) =>
      one.name === 'model.norm.weight'
        ? { ...one, ...change(one as Initializer & { data: ExternalData }) }
        : one,
    );
    return { ...model, graph: { ...model.graph, initializers } };
  };
}

function withMetadata(key: string, value: string | undefined) {
  return (model: OnnxModel): OnnxModel => {
    const { [key]: _, ...metadata } = model.metadata;
    return { ...model, metadata: value === undefined ? metadata : { ...metadata, [key]: value } };
  };
}

/** The config that the metadata hold, with `after` in the place of `before`. */
function withConfig(before: string, after: string) {
  return (model: OnnxModel) =>
    withMetadata(METADATA.config, model.metadata[METADATA.config]!.replace(before, after))(model);
}

const at = (data: Partial<ExternalData>) => withInitializer((one) => ({ data: { ...one.data, ...data } }));

/** What was done to an artifact, and how the import refuses it. */
const DAMAGES: readonly (readonly [string, (folder: string) => void, RegExp, Failure?])[] = [
  [
    'a location that climbs',
    (folder) => rewrite(folder, at({ location: '../config.json' })),
    /model_q4\.onnx: model\.norm\.weight: location, got "\.\.\/config\.json"/,
  ],
  [
    'an absolute location',
    (folder) => rewrite(folder, at({ location: '/etc/passwd' })),
    /location, got "\/etc\/passwd"/,
  ],
  ['a location of Windows', (folder) => rewrite(folder, at({ location: 'C:\\x' })), /location/],
  ['no location', (folder) => rewrite(folder, at({ location: '' })), /location/],
  [
    'a file that is not there',
    (folder) => rewrite(folder, at({ location: 'other.onnx_data' })),
    /other\.onnx_data: missing/,
  ],
  [
    'an offset behind the end',
    (folder) => rewrite(folder, at({ offset: 1e9 })),
    /model\.norm\.weight.*inside of \d+ bytes/,
  ],
  ['a length that is not the shape’s', (folder) => rewrite(folder, at({ length: 8 })), /length, got 8/],
  ['overlapping weights', (folder) => rewrite(folder, at({ offset: 128 })), /overlaps the bytes of /],
  [
    'weights that end too early',
    (folder) => truncateSync(path.join(folder, 'onnx', 'model_q4.onnx_data'), 100_000),
    /inside of 100000 bytes/,
  ],
  [
    'a link that leads out of the folder',
    (folder) => {
      const file = path.join(folder, 'onnx', 'model_q4.onnx_data');
      rmSync(file);
      symlinkSync('/etc/passwd', file);
    },
    /model_q4\.onnx_data: symbolic link that leads out of the folder/,
  ],
  [
    'no metadata',
    (folder) => rewrite(folder, withMetadata(METADATA.config, undefined)),
    /a graph of another tool/,
    'unsupported',
  ],
  [
    'metadata that is no JSON',
    (folder) => rewrite(folder, withMetadata(METADATA.config, '{')),
    /model_q4\.onnx/,
  ],
  [
    'an unknown cache',
    (folder) => rewrite(folder, withMetadata(METADATA.cache, 'both')),
    /plmpress\.cache: wrong value, got "both"/,
  ],
  [
    'a geometry that is not the graph’s',
    (folder) => rewrite(folder, withConfig('"hidden_size": 256', '"hidden_size": 288')),
    /type and shape|by the metadata/,
  ],
  [
    'a graph that ends too early',
    (folder) => truncateSync(path.join(folder, 'onnx', 'model_q4.onnx'), 5000),
    /malformed protobuf message: ends too early/,
  ],
  [
    'a layer that the metadata does not have',
    (folder) => rewrite(folder, withConfig('"num_hidden_layers": 2', '"num_hidden_layers": 1')),
    /model_q4\.onnx: initializer "model\.layers\.1\..*": is not a weight of a PLM$/,
    'unsupported',
  ],
  [
    'bytes that are no protobuf',
    (folder) => writeFileSync(path.join(folder, 'onnx', 'model_q4.onnx'), new Uint8Array(500).fill(0xff)),
    /malformed protobuf message/,
  ],
  [
    'a graph of a gigabyte',
    (folder) => truncateSync(path.join(folder, 'onnx', 'model_q4.onnx'), 1e9),
    /too large, got 1000000000, expected at most 128000000 bytes, the weights beside it/,
  ],
  [
    'an empty graph',
    (folder) => writeFileSync(path.join(folder, 'onnx', 'model_q4.onnx'), ''),
    /model_q4\.onnx: the file is empty$/,
  ],
  ['no tokenizer', (folder) => rmSync(path.join(folder, 'tokenizer.json')), /tokenizer\.json: missing/],
];

describe('an ONNX artifact is refused for', () => {
  let model: Model;
  before(() => {
    model = memoryModel(SMALL_PLM);
  });
  after(() => closeModel(model));

  const damaged = async (t: TestContext, damage: (folder: string) => void): Promise<string> => {
    const folder = await exportOnnx(t, model, 'q4');
    // It would tell that a file is not as it was written, whatever is wrong with it.
    rmSync(path.join(folder, 'plmpress.json'));
    damage(folder);
    return folder;
  };

  for (const [name, damage, message, failure = 'invalid-input'] of DAMAGES) {
    it(name, async (t) => {
      const folder = await damaged(t, damage);
      await assert.rejects(openSource(folder), (error: Error) => {
        pressFailure(failure, message)(error);
        assert.ok(!error.message.includes('\n'));
        return true;
      });
    });
  }

  it('any byte of the graph that is another, with one line or not at all', async (t) => {
    const folder = await damaged(t, () => {});
    const file = path.join(folder, 'onnx', 'model_q4.onnx');
    const bytes = readFileSync(file);
    let refused = 0;
    for (let seed = 0; seed < 300; seed++) {
      const copy = Uint8Array.from(bytes);
      const place = (seed * 2_654_435_761) % copy.length;
      copy[place] = copy[place]! ^ (1 << (seed % 8));
      writeFileSync(file, copy);
      try {
        await closeModel(await openSource(folder));
      } catch (error) {
        assert.equal((error as Error).name, 'PressError', (error as Error).stack);
        refused++;
      }
    }
    // Names of nodes, epsilons and the like may be anything.
    assert.ok(refused > 150, `${refused} of 300`);
  });
});
