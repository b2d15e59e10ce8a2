import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, linkSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { openHfFolder } from '../../../formats/hf/import.ts';
import { closeModel } from '../../../src/core/model.ts';
import { byteLength } from '../../../src/core/tensor.ts';
import { noiseSafetensors } from '../../support/builders/safetensors-builder.ts';
import {
  shardName,
  tinyTensors,
  writeIndex,
  writeTinyShards,
} from '../../support/builders/tiny-checkpoint.ts';
import { asUnprivileged, NO_PERMISSIONS } from '../../support/privileges.ts';
import { assertRejects, type Rejection } from '../../support/rejects.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const EMBEDDING = 'model.embed_tokens.weight';
const FIRST = shardName(0, 3);
const LAST = shardName(2, 3);

/** What makes a sound folder of three shards unsound. */
interface Damage {
  readonly name: string;
  readonly damage: (folder: string, weightMap: Record<string, string>) => void;
  readonly message: RegExp;
}

const index = (change: (weightMap: Record<string, string>) => unknown): Damage['damage'] => {
  return (folder, weightMap) => writeIndex(folder, change(weightMap));
};
const value = (shard: unknown) => index((map) => ({ ...map, [EMBEDDING]: shard }));
const BAD_NAME =
  /^model\.safetensors\.index\.json: weight_map\["model\.embed_tokens\.weight"\]: wrong value, got ".*", expected the base name/;

// biome-ignore format: rows of a table
const DAMAGES: readonly Damage[] = [
  { name: 'not JSON', damage: (f) => writeFileSync(path.join(f, 'model.safetensors.index.json'), 'weight_map'), message: /^model\.safetensors\.index\.json: line 1, column 1: not valid JSON/ },
  { name: 'not UTF-8', damage: (f) => writeFileSync(path.join(f, 'model.safetensors.index.json'), Uint8Array.of(0x7b, 0xff)), message: /index\.json: not valid UTF-8/ },
  { name: 'no weight_map', damage: index(() => undefined), message: /index\.json: weight_map: missing, expected an object/ },
  { name: 'weight_map is an array', damage: index(() => []), message: /index\.json: weight_map: wrong value, got \[\], expected an object/ },
  { name: 'weight_map is empty', damage: index(() => ({})), message: /index\.json: weight_map: names no tensor/ },
  { name: 'value a number', damage: value(1), message: /weight_map\["model\.embed_tokens\.weight"\]: wrong value, got 1, expected a string/ },
  { name: 'value /etc/passwd', damage: value('/etc/passwd'), message: BAD_NAME },
  { name: 'value C:\\x', damage: value('C:\\x'), message: BAD_NAME },
  { name: 'value C:\\x.safetensors', damage: value('C:\\x.safetensors'), message: BAD_NAME },
  { name: 'value \\\\host\\s', damage: value('\\\\host\\s.safetensors'), message: BAD_NAME },
  { name: 'value ../model.safetensors', damage: value('../model.safetensors'), message: BAD_NAME },
  { name: 'value sub/model.safetensors', damage: value('sub/model.safetensors'), message: BAD_NAME },
  { name: 'value ..', damage: value('..'), message: BAD_NAME },
  { name: 'value .', damage: value('.'), message: BAD_NAME },
  { name: 'value empty', damage: value(''), message: BAD_NAME },
  { name: 'value .safetensors', damage: value('.safetensors'), message: BAD_NAME },
  { name: 'value with NUL', damage: value(`${FIRST}\0.safetensors`), message: BAD_NAME },
  { name: 'value with a newline', damage: value(`${FIRST}\n`), message: BAD_NAME },
  { name: 'value a pickle', damage: value('pytorch_model.bin'), message: BAD_NAME },
  { name: 'value a web address', damage: value('https://example.org/model.safetensors'), message: BAD_NAME },
  { name: 'duplicate tensor', damage: (f) => writeFileSync(path.join(f, 'model.safetensors.index.json'), `{"weight_map":{"a":"${FIRST}","a":"${LAST}"}}`), message: /index\.json: weight_map\.a: duplicate key/ },
  { name: 'tensor __proto__', damage: (f) => writeFileSync(path.join(f, 'model.safetensors.index.json'), `{"weight_map":{"__proto__":"${FIRST}"}}`), message: /weight_map\.__proto__: reserved key/ },
  { name: '1,000,000 entries', damage: (f) => writeIndex(f, Object.fromEntries(Array.from({ length: 1_000_000 }, (_, i) => [`t${i}`, FIRST]))), message: /index\.json: weight_map: more than 100000 members/ },
  { name: '10,001 shards', damage: (f) => writeIndex(f, Object.fromEntries(Array.from({ length: 10_001 }, (_, i) => [`t${i}`, `s${i}.safetensors`]))), message: /index\.json: weight_map: too many shards, got 10001, expected at most 10000/ },
  { name: 'shard missing', damage: (f) => rmSync(path.join(f, LAST)), message: /index\.json: weight_map\[".*"\]: shard model-00003-of-00003\.safetensors is missing/ },
  { name: 'only 2 of 3 listed and present', damage: (f, map) => { rmSync(path.join(f, LAST)); writeIndex(f, Object.fromEntries(Object.entries(map).filter(([, shard]) => shard !== LAST))); }, message: /index\.json: weight_map: model-00001-of-00003\.safetensors is one of 3 shards, got 2, expected 3 names/ },
  { name: 'only 2 of 3 present, no index', damage: (f) => { rmSync(path.join(f, LAST)); rmSync(path.join(f, 'model.safetensors.index.json')); }, message: /^model\.safetensors\.index\.json: missing/ },
  { name: 'tensor in a shard but not listed', damage: index(({ [EMBEDDING]: _, ...map }) => map), message: /^model-00001-of-00003\.safetensors: tensor "model\.embed_tokens\.weight": model\.safetensors\.index\.json does not list/ },
  { name: 'tensor listed in another shard', damage: value(LAST), message: /^model-00001-of-00003\.safetensors: tensor "model\.embed_tokens\.weight": .*does not list the tensor in this shard/ },
  { name: 'tensor listed but in no shard', damage: index((map) => ({ ...map, 'model.extra': FIRST })), message: /index\.json: weight_map\["model\.extra"\]: model-00001-of-00003\.safetensors does not hold this tensor/ },
  { name: 'tensor in two shards', damage: (f) => writeFileSync(path.join(f, LAST), noiseSafetensors(tinyTensors().filter(({ name }, i) => i % 3 === 2 || name === EMBEDDING), 1).content), message: /^model-00003-of-00003\.safetensors: tensor "model\.embed_tokens\.weight"/ },
  { name: 'shard cut', damage: (f) => truncateSync(path.join(f, LAST), 1000), message: /^model-00003-of-00003\.safetensors: header/ },
  { name: 'shard is a link out of the folder', damage: (f) => { rmSync(path.join(f, LAST)); symlinkSync('/etc/passwd', path.join(f, LAST)); }, message: /^model-00003-of-00003\.safetensors: symbolic link that leads out of the folder/ },
  { name: 'shard is a link to nowhere', damage: (f) => { rmSync(path.join(f, LAST)); symlinkSync('nowhere', path.join(f, LAST)); }, message: /^model-00003-of-00003\.safetensors: missing \(ENOENT\)/ },
  { name: 'shard is a Git LFS pointer', damage: (f) => writeFileSync(path.join(f, LAST), 'version https://git-lfs.github.com/spec/v1\n'), message: /^model-00003-of-00003\.safetensors: this is a Git LFS pointer, run git lfs pull$/ },
];

test('refuses', async (t) => {
  for (const { name, damage, message } of DAMAGES) {
    await t.test(name, async (t) => {
      const folder = temporaryFolder(t);
      damage(folder, writeTinyShards(folder, 3));
      await assertRejects(folder, () => openHfFolder(folder), { message });
    });
  }
  await t.test('shard without permission', { skip: NO_PERMISSIONS }, async (t) => {
    const folder = temporaryFolder(t);
    writeTinyShards(folder, 3);
    chmodSync(folder, 0o755);
    chmodSync(path.join(folder, LAST), 0);
    const expected: Rejection = {
      failure: 'local-io',
      message: /^model-00003-of-00003\.safetensors: permission denied/,
    };
    await assertRejects(folder, () => asUnprivileged(() => openHfFolder(folder)), expected);
  });
});

test('opens shards as one model', async (t) => {
  const folder = temporaryFolder(t);
  const weightMap = writeTinyShards(folder, 3);
  const model = await openHfFolder(folder);
  t.after(() => closeModel(model));
  assert.deepEqual(
    [...model.tensors.keys()],
    tinyTensors().map(({ name }) => name),
  );
  for (const tensor of model.tensors.values()) {
    assert.equal(model.files[tensor.origin.file]!.name, weightMap[tensor.name]);
    const into = new Uint8Array(byteLength(tensor));
    await tensor.readRows({ first: 0, count: tensor.shape.length === 1 ? 1 : tensor.shape[0]! }, into);
    assert.ok(into.some((byte) => byte !== 0));
  }
});

test('accepts a hard link to a file outside of a plain folder', async (t) => {
  const folder = temporaryFolder(t);
  const outside = temporaryFolder(t);
  writeTinyShards(folder, 3);
  linkSync(path.join(folder, LAST), path.join(outside, 'shard'));
  await closeModel(await openHfFolder(folder));
});

test('prefers model.safetensors to an index beside it, and says so', async (t) => {
  const folder = temporaryFolder(t);
  writeTinyShards(folder, 3);
  writeFileSync(path.join(folder, 'model.safetensors'), noiseSafetensors(tinyTensors(), 1).content);
  const model = await openHfFolder(folder);
  await closeModel(model);
  assert.deepEqual(model.notes, ['model.safetensors.index.json ignored, because model.safetensors exists']);
});

const OPEN_FOLDER = path.join(import.meta.dirname, '../../support/drivers/open-folder.js');
const TRACE = ['-f', '-qq', '-e', 'trace=open,openat,openat2'];
const tracing = spawnSync('strace', [...TRACE, 'true']);

test('opens nothing outside of the folder', {
  skip: tracing.status !== 0 && 'strace is not there or may not trace',
}, async (t) => {
  /** Paths outside of the folder that a process opens, or tries to, while it reads the folder. */
  const outsidePaths = (folder: string): Set<string> => {
    const { stderr } = spawnSync('strace', [...TRACE, process.execPath, OPEN_FOLDER, folder], {
      encoding: 'utf8',
    });
    const opened = [...stderr.matchAll(/open(?:at2?)?\((?:AT_FDCWD, )?"([^"]*)"/g)].map((match) => match[1]!);
    assert.ok(
      opened.some((file) => file.startsWith(folder)),
      'the trace shows the folder',
    );
    return new Set(
      opened
        // V8 sometimes maps its own executable once more when it starts, and the C library counts processors
        // when threads meet.
        .filter((file) => file !== process.execPath && file !== '/sys/devices/system/cpu/online')
        .filter((file) => file !== folder && !file.startsWith(`${folder}/`))
        .map((file) => file.replace(/\d+/g, 'N')),
    );
  };
  const sound = temporaryFolder(t);
  writeTinyShards(sound, 3);
  const usual = outsidePaths(sound);
  const hostile = DAMAGES.filter(({ name }) => /passwd|C:\\x$|host|link out/.test(name));
  assert.equal(hostile.length, 4);
  for (const { name, damage } of hostile) {
    await t.test(name, (t) => {
      const folder = temporaryFolder(t);
      damage(folder, writeTinyShards(folder, 3));
      const unusual = [...outsidePaths(folder)].filter((file) => !usual.has(file));
      assert.deepEqual(unusual, []);
      assert.ok(!usual.has('/etc/passwd'));
    });
  }
});
