import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { readGguf } from '../../formats/gguf/container/reader.ts';
import { closeModel } from '../../src/core/model.ts';
import { InputFile } from '../../src/io/input-file.ts';
import { openSource } from '../../src/pipeline/sources/open.ts';
import { readImatrix } from '../../src/pipeline/sources/read-imatrix.ts';
import { tensorValues } from '../support/builders/memory-model.ts';
import { BLOCKS_OF_256, writeRandomCheckpoint } from '../support/builders/random-checkpoint.ts';
import { runCli } from '../support/drivers/run-cli.ts';
import { sha256 } from '../support/oracles/digests.ts';
import { quantizeChunk } from '../support/oracles/ggml.ts';
import { fixture } from '../support/paths.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const TEXT = fixture('text', 'calibration.txt');

/** A checkpoint and where its statistics go. */
function workplace(t: TestContext) {
  const folder = temporaryFolder(t);
  const source = path.join(folder, 'model');
  writeRandomCheckpoint(source, { config: BLOCKS_OF_256 });
  return { folder, source, stats: path.join(folder, 'out', 'stats.gguf') };
}

const calibrate = (source: string, stats: string, ...more: string[]) =>
  runCli(['calibrate', source, '--text', TEXT, '-o', stats, '--tokens', '150', '--quiet', ...more]);

async function header(file: string) {
  const input = await InputFile.open(file, path.basename(file));
  try {
    return await readGguf(input);
  } finally {
    await input.close();
  }
}

describe('calibrate', () => {
  it('writes what llama-imatrix writes, and further tensors that no reader of it takes', async (t) => {
    const { folder, source, stats } = workplace(t);
    const text = path.join(folder, 'short.txt');
    writeFileSync(text, 'Call me Ishmael.');
    // The third text is beyond --tokens.
    const texts = [text, `sea=${TEXT}`, `unread=${TEXT}`].flatMap((spec) => ['--text', spec]);
    const { code, stderr } = await runCli([
      ...['calibrate', source, ...texts, '-o', stats, '--tokens', '100', '--quiet'],
    ]);
    assert.equal(code, 0, stderr);
    const { metadata, tensors } = await header(stats);
    const { 'plmpress.text_sha256': digest, ...others } = Object.fromEntries(metadata);
    assert.match(String(digest?.value), /^[0-9a-f]{64}$/);
    assert.deepEqual(others, {
      'general.type': { type: 'string', value: 'imatrix' },
      'imatrix.datasets': { type: 'array', items: 'string', value: ['short.txt', 'sea'] },
      'imatrix.chunk_count': { type: 'u32', value: 3 },
      'imatrix.chunk_size': { type: 'u32', value: 64 },
    });
    const known = tensors.filter(({ name }) => /\.(in_sum2|counts)$/.test(name));
    const stems = known.map(({ name }) => name.replace(/\.(in_sum2|counts)$/, ''));
    assert.equal(known.length, 24);
    assert.deepEqual([...new Set(stems)], [...new Set(stems)].sort());
    assert.ok(stems.every((stem) => /^blk\.[01]\.(attn|ffn)_\w+\.weight$/.test(stem)));
    for (const { name, dims, type } of known) {
      assert.equal(type, 0);
      assert.deepEqual(dims, name.endsWith('.counts') ? [1, 1] : [256, 1], name);
    }
    const extras = tensors.slice(known.length).map(({ name, dims }) => `${name} ${dims}`);
    assert.deepEqual(extras.slice(6), [
      'blk.1.attn_k_b.weight.plmpress_sum2 16,1',
      'blk.1.attn_v_b.weight.plmpress_sum2 256,1',
      'blk.1.ffn_down.weight.plmpress_out_sum2 256',
      'blk.1.ffn_down.weight.plmpress_sums 256',
      'blk.1.ffn_up.weight.plmpress_fired 64,256',
      'blk.1.ffn_up.weight.plmpress_firings 256',
      'token_embd.weight.plmpress_sum2 256',
    ]);
    const imatrix = await readImatrix(stats);
    assert.deepEqual([imatrix.entries.size, imatrix.chunks, imatrix.notes], [12, 3, []]);
  });

  it('writes the second moments that are asked for', async (t) => {
    const { folder, source, stats } = workplace(t);
    const moments = ['--second-moments', 'down_proj', '--second-moments', 'o_proj'];
    const { code: done, stderr: told } = await calibrate(source, stats, ...moments);
    assert.equal(done, 0, told);
    const { tensors } = await header(stats);
    const found = tensors.filter(({ name }) => name.endsWith('.plmpress_moments'));
    assert.deepEqual(
      found.map(({ name, dims }) => `${name} ${dims}`),
      [0, 1].flatMap((layer) =>
        ['attn_output', 'ffn_down'].map((m) => `blk.${layer}.${m}.weight.plmpress_moments 32896`),
      ),
    );
    const { code, stderr } = await calibrate(source, path.join(folder, 'x'), '--second-moments', 'k_b_proj');
    assert.equal(code, 2);
    assert.match(stderr, /Allowed choices are q_proj, kv_b_proj/);
  });

  it('weighs texts, each token as often as is told', async (t) => {
    const { folder, source } = workplace(t);
    const text = path.join(folder, 'short.txt');
    writeFileSync(text, 'Call me Ishmael. Some years ago');
    const sums = async (name: string, ...more: string[]) => {
      const stats = path.join(folder, name);
      const { code, stderr } = await runCli(['calibrate', source, '-o', stats, '--quiet', ...more]);
      assert.equal(code, 0, stderr);
      return (await readImatrix(stats)).entries.get('blk.1.ffn_down.weight')!;
    };
    const other = path.join(folder, 'other.txt');
    writeFileSync(other, 'It was a dark and stormy night; the rain fell in torrents.');
    const once = ['--text', `a=${text}`, '--text', `sea=${other}`];
    const expected = await sums('1', ...once, '--text', `b=${text}`);
    const weighed = await sums('2', ...once, '--weight', 'a=2');
    weighed.forEach((value, i) => {
      assert.ok(Math.abs(value - expected[i]!) <= 1e-6 * expected[i]!, `${i}: ${value}, ${expected[i]}`);
    });
    assert.notDeepEqual(weighed, await sums('3', ...once));
    const { metadata } = await header(path.join(folder, '2'));
    assert.deepEqual(metadata.get('plmpress.text_weights'), { type: 'array', items: 'f32', value: [2, 1] });
    const wrong = await runCli(['calibrate', source, ...once, '-o', text, '--weight', 'b=2']);
    assert.equal(wrong.code, 2);
    assert.match(wrong.stderr, /--weight names an unknown text "b", expected a, sea/);
  });

  it('gives the same bytes on any number of threads', async (t) => {
    const { folder, source } = workplace(t);
    const hashes: string[] = [];
    for (const threads of ['1', '2', '5']) {
      const stats = path.join(folder, threads);
      assert.equal((await calibrate(source, stats, '--threads', threads)).code, 0);
      hashes.push(sha256(stats));
    }
    assert.deepEqual([hashes[1], hashes[2]], [hashes[0], hashes[0]]);
  });

  it('weighs the rounding of convert as ggml weighs it', async (t) => {
    const { folder, source, stats } = workplace(t);
    assert.equal((await calibrate(source, stats)).code, 0);
    const argv = [
      'convert',
      source,
      '--to',
      'gguf:q4_k_s',
      '--pure',
      '--imatrix',
      stats,
      '-o',
      folder,
      '--quiet',
    ];
    const { code, stderr } = await runCli(argv);
    assert.equal(code, 0, stderr);
    const file = path.join(folder, 'model-Q4_K_S.gguf');
    const { entries } = await readImatrix(stats);
    const model = await openSource(source);
    const artifact = await openSource(file);
    try {
      for (const [role, gguf] of [
        ['mlp.down_proj', 'ffn_down'],
        ['self_attn.kv_b_proj', 'attn_kv_b'],
      ]) {
        const name = `model.layers.1.${role}.weight`;
        const tensor = model.tensors.get(name)!;
        const [rows, columns] = tensor.shape as [number, number];
        const importance = entries.get(`blk.1.${gguf}.weight`)!;
        const expected = quantizeChunk('Q4_K', await tensorValues(tensor), rows, columns, importance);
        const { offset } = artifact.tensors.get(name)!.origin;
        const actual = readFileSync(file).subarray(offset, offset + expected.length);
        assert.equal(Buffer.compare(actual, expected), 0, name);
      }
    } finally {
      await Promise.all([closeModel(model), closeModel(artifact)]);
    }
  });

  it('--json tells tokens, speed and how often neurons fire', async (t) => {
    const { source, stats } = workplace(t);
    const { code, stdout } = await calibrate(source, stats, '--context', '50', '--json');
    assert.equal(code, 0);
    const {
      tokens,
      chunks,
      chunkSize,
      seconds,
      tokensPerSecond,
      firingRates,
      bytes,
      sha256: hash,
    } = JSON.parse(stdout);
    assert.deepEqual([tokens, chunks, chunkSize, firingRates.length], [150, 3, 50, 2]);
    assert.ok(seconds > 0 && tokensPerSecond > 0);
    assert.ok(firingRates.every((rate: number) => rate > 0.2 && rate < 0.8));
    assert.deepEqual([bytes, hash], [readFileSync(stats).length, sha256(stats)]);
  });

  it('replaces nothing without --force, and never a file that it reads', async (t) => {
    const { folder, source, stats } = workplace(t);
    assert.equal((await calibrate(source, stats)).code, 0);
    const again = await calibrate(source, stats);
    assert.equal(again.code, 4);
    assert.match(again.stderr, /stats\.gguf: exists already in \S+; --force replaces it/);
    assert.equal((await calibrate(source, stats, '--force')).code, 0);
    assert.deepEqual(readdirSync(path.dirname(stats)), ['stats.gguf']);
    const text = path.join(folder, 'a=b.txt');
    writeFileSync(text, 'Call me Ishmael.');
    const { code, stderr } = await runCli(['calibrate', source, '--text', text, '-o', text, '--force']);
    assert.equal(code, 4);
    assert.match(stderr, /a=b\.txt: is an input of this run/);
  });

  it('refuses a text of less than two tokens, and a context that the model does not know', async (t) => {
    const { folder, source, stats } = workplace(t);
    const text = path.join(folder, 'short.txt');
    writeFileSync(text, 'a');
    const short = await runCli(['calibrate', source, '--text', text, '-o', stats]);
    assert.equal(short.code, 3);
    assert.match(short.stderr, /error: tokens of text, got 1, expected at least 2$/m);
    assert.equal((await calibrate(source, stats, '--context', '65')).code, 2);
    assert.equal(existsSync(path.dirname(stats)), false);
  });
});
