import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, readdirSync, readFileSync, statSync, truncateSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { RECIPES } from '../../formats/gguf/recipes.ts';
import { parseConfig } from '../../formats/hf/config.ts';
import { ONNX_SCHEMES } from '../../formats/onnx/schemes.ts';
import { WEBGPU_SCHEMES } from '../../formats/webgpu/schemes.ts';
import { SCHEMES, type SchemeName } from '../../src/core/scheme.ts';
import { runCli } from '../support/drivers/run-cli.ts';
import { fixture } from '../support/paths.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const TINY = fixture('plm-tiny');

describe('inspect', () => {
  it('--json says what plm-tiny is', async () => {
    const { code, stdout, stderr } = await runCli(['inspect', TINY, '--json']);
    assert.deepEqual([code, stderr], [0, '']);
    const inspection = JSON.parse(stdout);
    assert.deepEqual(inspection.parameters, {
      attention: 1_458_176,
      ffn: 2_097_152,
      embedding: 524_288,
      norms: 3_328,
      total: 4_082_944,
    });
    const { name, format, bytes, bitsPerWeight, kvCacheBytesPerToken, stopTokens, generation, tokenizer } =
      inspection;
    assert.deepEqual([name, format, bytes, bitsPerWeight], ['plm-tiny', 'safetensors', 8_165_888, 16]);
    // 4 layers, 2 bytes each: latent 256 + 16, expanded 8 heads of 48 + 32.
    assert.deepEqual(kvCacheBytesPerToken, { expanded: 5120, latent: 2176 });
    assert.deepEqual(stopTokens, [
      { id: 2000, text: '<|endoftext|>' },
      { id: 2002, text: '<|im_end|>' },
    ]);
    assert.deepEqual(generation, { temperature: 0.7, topP: 0.9 });
    assert.deepEqual([tokenizer.tokens, tokenizer.paddingRows, tokenizer.chatTemplate], [2003, 45, true]);
    assert.equal(inspection.tensors.length, 38);
    assert.deepEqual(inspection.tensors[0], {
      name: 'model.embed_tokens.weight',
      scheme: 'BF16',
      shape: [2048, 256],
      bytes: 1_048_576,
    });
  });

  it('prints tables of the same figures', async () => {
    const { code, stdout, stderr } = await runCli(['inspect', TINY]);
    assert.deepEqual([code, stderr], [0, '']);
    assert.match(stdout, /^Model\n {2}name {6}plm-tiny\n/);
    assert.match(stdout, /weights {3}8\.17 MB \(8,165,888 bytes\), 16\.00 bits per weight\n/);
    assert.match(stdout, /KV cache {2}2,176 bytes per token latent, 5,120 expanded \(2\.4 times as many\)/);
    assert.match(stdout, /total +4\.08 M +4,082,944 {2}100\.0 %\n/);
    assert.match(stdout, /stop tokens {4}2000 <\|endoftext\|>, 2002 <\|im_end\|>\n/);
    assert.match(stdout, /model\.embed_tokens\.weight {2,}BF16 +2048 x 256 +1\.05 MB +1,048,576\n/);
    assert.ok(!stdout.includes('\u001b'));
  });

  it('has bold titles on a terminal', async () => {
    const { stdout } = await runCli(['inspect', TINY], { tty: true });
    assert.ok(stdout.startsWith('\u001b[1mModel\u001b[22m\n'));
  });

  it('reads headers only: the weights may be a hole', async (t) => {
    const folder = path.join(temporaryFolder(t), 'hollow');
    mkdirSync(folder);
    for (const name of readdirSync(TINY)) copyFileSync(path.join(TINY, name), path.join(folder, name));
    const weights = path.join(folder, 'model.safetensors');
    const { size } = statSync(weights);
    truncateSync(weights, 20_000);
    truncateSync(weights, size);
    assert.equal((await runCli(['inspect', folder, '--json'])).code, 0);
  });
});

describe('schemes', () => {
  it('--json lists every scheme and every target', async () => {
    const { code, stdout } = await runCli(['schemes', '--json']);
    const { schemes, targets } = JSON.parse(stdout);
    assert.equal(code, 0);
    assert.deepEqual(
      schemes.map((scheme: { name: string }) => scheme.name),
      Object.keys(SCHEMES),
    );
    const writable = schemes.filter((scheme: { write: boolean }) => scheme.write);
    assert.deepEqual(
      writable.map((scheme: { name: SchemeName }) => scheme.name),
      Object.keys(SCHEMES).filter((name) => !/^IQ[123]/.test(name)),
    );
    const q6k = schemes.find((scheme: { name: SchemeName }) => scheme.name === 'Q6_K');
    assert.deepEqual(q6k, {
      name: 'Q6_K',
      ggmlType: 14,
      bitsPerWeight: 6.5625,
      blockSize: 256,
      blockBytes: 210,
      write: true,
    });
    assert.deepEqual(
      targets.map(({ target }: { target: string }) => target),
      [
        ...RECIPES.map(({ name }) => `gguf:${name}`),
        ...ONNX_SCHEMES.map(({ name }) => `onnx:${name}`),
        ...WEBGPU_SCHEMES.map(({ name }) => `webgpu:${name}`),
      ],
    );
  });

  it('prints a line each', async () => {
    const { stdout } = await runCli(['schemes']);
    assert.match(
      stdout,
      /^gguf:q3_k_l +Q3_K matrices; embed_tokens Q6_K; kv_b_proj, o_proj, down_proj Q5_K$/m,
    );
    assert.match(stdout, /^Q8_0 +8 +8\.5000 +32 +34 {2}yes$/m);
  });
});

describe('passes', () => {
  it('prints a line each', async () => {
    assert.match((await runCli(['passes'])).stdout, /^permute-rope {2,}\S/m);
    const { passes } = JSON.parse((await runCli(['passes', '--json'])).stdout);
    assert.deepEqual(
      passes.find(({ name }: { name: string }) => name === 'scale-ffn'),
      {
        name: 'scale-ffn',
        options: { alpha: 0.5 },
        summary: 'scale rows of up_proj by s and columns of down_proj by 1/s^2, which squared ReLU cancels',
      },
    );
  });
});

describe('the geometry that inspect shows', () => {
  it('is that of config.json', async () => {
    const { config } = JSON.parse((await runCli(['inspect', TINY, '--json'])).stdout);
    const { plm } = parseConfig(readFileSync(path.join(TINY, 'config.json'), 'utf8'), 'config.json');
    assert.deepEqual(config, JSON.parse(JSON.stringify(plm)));
  });
});
