import assert from 'node:assert/strict';
import { copyFileSync, cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { closeModel } from '../../src/core/model.ts';
import { openSource } from '../../src/pipeline/sources/open.ts';
import { runCli } from '../support/drivers/run-cli.ts';
import { fixture } from '../support/paths.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const TINY = fixture('plm-tiny');
const EVAL = fixture('text', 'eval.txt');
const FILE = 'plm-tiny-Q8_0.gguf';

/** A fresh folder with the Q8_0 artifact of plm-tiny and its manifest. */
async function artifact(t: TestContext): Promise<string> {
  const output = path.join(temporaryFolder(t), 'out');
  const { code, stderr } = await runCli(['convert', TINY, '--to', 'gguf:q8_0', '-o', output, '--quiet']);
  assert.equal(code, 0, stderr);
  return output;
}

/** Changes the bytes of a tensor in the artifact, at its first or a later block. */
async function damage(
  folder: string,
  tensor: string,
  edit: (block: Buffer) => void,
  block = 0,
): Promise<void> {
  const file = path.join(folder, FILE);
  const model = await openSource(file);
  const { offset } = model.tensors.get(tensor)!.origin;
  await closeModel(model);
  const bytes = readFileSync(file);
  edit(bytes.subarray(offset + 34 * block, offset + 34 * (block + 1)));
  writeFileSync(file, bytes);
}

/** A damage that the hash does not tell, since whoever made it took the manifest away. */
async function damagedUnseen(t: TestContext, ...damaged: DamageOf): Promise<string> {
  const folder = await artifact(t);
  rmSync(path.join(folder, 'plmpress.json'));
  await damage(folder, ...damaged);
  return folder;
}

type DamageOf = [tensor: string, edit: (block: Buffer) => void, block?: number];

const verify = (artifactPath: string, ...more: string[]) =>
  runCli(['verify', artifactPath, '--against', TINY, '--text', EVAL, ...more]);

describe('verify', () => {
  it('passes a Q8_0 artifact over the evaluation text and prints the figures', async (t) => {
    const folder = await artifact(t);
    const { code, stdout, stderr } = await verify(folder);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^mean KLD \(nats per token\) +\d\S* +at most \S+$/m);
    assert.match(stdout, /^top-1 agreement +9\d\.\d\d %/m);
    assert.match(stdout, /^worst of 38 tensors +scheme +relative RMS error +largest error$/m);
    assert.match(stdout, /^positions by KLD +\[[ .:=+*#@-]+\] {2}\S+ to \S+ nats$/m);
    assert.match(stdout, /^largest error +\[[.:=+*#@-]{4}\] {2}layers 0 to 3, at most 0\.0\d+$/m);
    assert.match(stdout, /^neurons that fire +\[[.:=+*#@-]{4}\] {2}layers 0 to 3, at most \d+\.\d\d %$/m);
    assert.match(stdout, /^passed over 2,048 tokens$/m);
  });

  it('--json prints the contract, from the folder as from the file', async (t) => {
    const folder = await artifact(t);
    const { code, stdout, stderr } = await verify(folder, '--json', '--quiet');
    assert.deepEqual([code, stderr], [0, '']);
    const { tokens, kld, top1, ppl, maxAbsError, passed } = JSON.parse(stdout);
    assert.deepEqual([tokens, passed, Object.keys(kld)], [2048, true, ['mean', 'median', 'p99', 'max']]);
    assert.ok(0 < kld.median && kld.median < kld.p99 && kld.p99 <= kld.max && kld.mean < kld.max);
    assert.ok(top1 > 0.9 && top1 <= 1 && maxAbsError > 0);
    // The artifact of 8.5 bits predicts text about as well as the model itself.
    assert.ok(Math.abs(ppl.artifact / ppl.reference - 1) < 0.01);
    assert.equal((await verify(path.join(folder, FILE), '--json', '--quiet')).stdout, stdout);
  });

  it('--max-kld sets the limit', async (t) => {
    const folder = await artifact(t);
    const { code, stdout, stderr } = await verify(folder, '--max-kld', '1e-9', '--tokens', '64', '--json');
    assert.equal(code, 6);
    assert.equal(JSON.parse(stdout).passed, false);
    assert.match(stderr, /^plmpress: error: mean KLD, got \S+, expected at most 1\.00e-9$/m);
  });

  it('ends with 6 where the manifest does not describe the file', async (t) => {
    const folder = await artifact(t);
    await damage(folder, 'model.layers.1.self_attn.q_proj.weight', (block) => block.writeInt8(1, 9));
    const { code, stderr } = await verify(folder);
    assert.equal(code, 6);
    assert.match(stderr, /^plmpress: error: plm-tiny-Q8_0\.gguf: SHA-256 differs from plmpress\.json, got /m);
  });

  const DAMAGES: readonly [name: string, damaged: DamageOf, message: RegExp][] = [
    [
      'one code of one block',
      [
        'model.layers.2.mlp.down_proj.weight',
        (block) => block.writeInt8(-block.readInt8(2 + 5) ^ 0x40, 7),
        300,
      ],
      /model\.layers\.2\.mlp\.down_proj\.weight: largest error of Q8_0 in row \d+/,
    ],
    [
      'a scale that is not a number',
      ['model.layers.0.self_attn.kv_b_proj.weight', (block) => block.writeUInt16LE(0x7e00, 0)],
      /plm-tiny-Q8_0\.gguf: model\.layers\.0\.self_attn\.kv_b_proj\.weight: weights that are not finite, the first in row 0, block 0 \(weight \[0, 0\]\), got 32, expected 0/,
    ],
    [
      'a block of zeros',
      ['model.embed_tokens.weight', (block) => block.fill(0), 40],
      /model\.embed_tokens\.weight: largest error of Q8_0 in row 5, block 0 \(/,
    ],
  ];
  for (const [name, damaged, message] of DAMAGES) {
    it(`ends with 6 at ${name}, even without a manifest`, async (t) => {
      const { code, stdout, stderr } = await verify(await damagedUnseen(t, ...damaged), '--tokens', '64');
      assert.equal(code, 6);
      assert.match(stderr, /^plmpress: error: /m);
      assert.match(stdout, message);
    });
  }

  it('ends with 6 where the artifact is of another model', async (t) => {
    const folder = path.join(temporaryFolder(t), 'other');
    cpSync(TINY, folder, { recursive: true });
    const config = JSON.parse(readFileSync(path.join(folder, 'tokenizer.json'), 'utf8'));
    [config.model.merges[0], config.model.merges[1]] = [config.model.merges[1], config.model.merges[0]];
    writeFileSync(path.join(folder, 'tokenizer.json'), JSON.stringify(config));
    const { code, stderr } = await verify(folder);
    assert.equal(code, 6);
    assert.match(stderr, /^plmpress: error: .*merges/m);
  });

  it('takes an artifact that lies alone, without a manifest', async (t) => {
    const folder = await artifact(t);
    const alone = path.join(temporaryFolder(t), 'alone.gguf');
    copyFileSync(path.join(folder, FILE), alone);
    assert.equal((await verify(alone, '--tokens', '64', '--quiet')).code, 0);
  });
});
