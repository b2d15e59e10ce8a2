import { renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { openHfFolder } from '../../../formats/hf/import.ts';
import { writeTinyCheckpoint } from '../../support/builders/tiny-checkpoint.ts';
import { torchShardName, writeAsTorch, writeTorchIndex } from '../../support/builders/torch-checkpoint.ts';
import { assertRejects, type Rejection } from '../../support/rejects.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const EMBEDDING = 'model.embed_tokens.weight';
const NORM = 'model.norm.weight';
const INDEX = 'pytorch_model.bin.index.json';
const [FIRST, SECOND, LAST] = [0, 1, 2].map((shard) => torchShardName(shard, 3)) as [string, string, string];

interface Damage extends Rejection {
  readonly name: string;
  readonly damage: (file: (name: string) => string, weightMap: Readonly<Record<string, string>>) => void;
}

const value =
  (shard: unknown) => (file: (name: string) => string, weightMap: Readonly<Record<string, string>>) =>
    writeTorchIndex(path.dirname(file(INDEX)), { ...weightMap, [EMBEDDING]: shard });
const BAD_NAME =
  /^pytorch_model\.bin\.index\.json: weight_map\["model\.embed_tokens\.weight"\]: wrong value, got ".*", expected the base name of a \.bin file$/;

// biome-ignore format: rows of a table
const DAMAGES: readonly Damage[] = [
  ...['../x.bin', '/etc/x.bin', 'C:\\x.bin', '.bin', 'x.bin ', 'model.safetensors', 'x.pt', ''].map((shard) => ({ name: `shard ${JSON.stringify(shard)}`, damage: value(shard), message: BAD_NAME })),
  { name: 'index missing', damage: (file) => rmSync(file(INDEX)), message: /^pytorch_model\.bin\.index\.json: missing$/ },
  { name: 'index not JSON', damage: (file) => writeFileSync(file(INDEX), '['), message: /^pytorch_model\.bin\.index\.json: line 1/ },
  { name: 'shard missing', damage: (file) => rmSync(file(LAST)), message: /: shard pytorch_model-00003-of-00003\.bin is missing$/ },
  { name: 'shard of another number', damage: value('pytorch_model-00001-of-00004.bin'), message: /: weight_map: pytorch_model-00001-of-00003\.bin is one of 3 shards, got 4/ },
  { name: 'tensor in another shard', damage: value(SECOND), message: /^pytorch_model-00001-of-00003\.bin: tensor "model\.embed_tokens\.weight": pytorch_model\.bin\.index\.json does not list/ },
  { name: 'shards exchanged', damage: (file) => { renameSync(file(FIRST), file('x')); renameSync(file(SECOND), file(FIRST)); renameSync(file('x'), file(SECOND)); }, message: /does not list the tensor in this shard$/ },
  { name: 'shard not an archive', damage: (file) => writeFileSync(file(LAST), 'x'), message: /^pytorch_model-00003-of-00003\.bin: not a zip archive/ },
];

test('refuses shards', async (t) => {
  const tiny = temporaryFolder(t);
  writeTinyCheckpoint(tiny);
  for (const { name, damage, ...expected } of DAMAGES) {
    await t.test(name, async (t) => {
      const folder = temporaryFolder(t);
      const weightMap = await writeAsTorch(tiny, folder, { shards: 3 });
      damage((file) => path.join(folder, file), weightMap);
      await assertRejects(folder, () => openHfFolder(folder), expected);
    });
  }
});

test('a dtype without weights is refused by the name of its tensor', async (t) => {
  const tiny = temporaryFolder(t);
  writeTinyCheckpoint(tiny);
  const folder = temporaryFolder(t);
  await writeAsTorch(tiny, folder, { change: (name) => (name === NORM ? { dtype: 'Short' } : {}) });
  const message = /^pytorch_model\.bin: tensor "model\.norm\.weight": dtype: not supported, got "Short"/;
  await assertRejects(folder, () => openHfFolder(folder), { failure: 'unsupported', message });
});
