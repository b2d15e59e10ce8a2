import assert from 'node:assert/strict';
import path from 'node:path';
import test from 'node:test';
import { successor, writeBigram } from '../../support/bigram-onnx.ts';
import { NO_BROWSER, openPage } from '../../support/browser.ts';
import { NO_GPU, openOnnx, type Provider, placement, Tensor } from '../../support/onnxruntime.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

/** Tokens of plm-tiny's text, and what the bigram model makes of each. */
const TOKENS = [5, 77, 1999];

for (const provider of ['cpu', 'webgpu'] as const) {
  test(`onnxruntime runs a model of two files, by ${provider}`, { skip: skip(provider) }, async (t) => {
    const file = bigram(t);
    const session = await openOnnx(t, file, provider);
    const { logits } = await session.run({
      input_ids: new Tensor('int64', BigInt64Array.from(TOKENS, BigInt), [1, TOKENS.length]),
      attention_mask: new Tensor('int64', new BigInt64Array(TOKENS.length).fill(1n), [1, TOKENS.length]),
      'past_key_values.0.key': new Tensor('float32', new Float32Array(), [1, 1, 0, 32]),
    });
    console.log(logits);
  });
}
function skip(provider: Provider) { return provider === 'webgpu' && NO_GPU; }
function bigram(t: test.TestContext) { const folder = temporaryFolder(t); writeBigram(folder); return path.join(folder,'onnx','model_q4.onnx'); }
test('place', async (t) => { console.log(await placement(t, bigram(t), 'cpu'), await placement(t, bigram(t), 'webgpu')); });
test('b', { skip: NO_BROWSER }, async (t) => {
  const models = temporaryFolder(t);
  writeBigram(path.join(models, 'bigram'));
  const page = await openPage(t, models);
  page.on('console', m => console.log('PAGE', m.text())); page.on('requestfinished', async r => console.log(r.method(), r.url(), JSON.stringify(r.headers().range)));page.on('requestfailed', async r => console.log('FAILED', r.method(), r.url(), r.failure()));
  console.log(await page.evaluate('crossOriginIsolated'), await page.evaluate('navigator.gpu.requestAdapter().then(a => ({v: a.info.vendor, a: a.info.architecture, f: [...a.features]}))'));
  for (const device of ['wasm','webgpu'] as const) {
   const t0=performance.now();
   console.log(device, await page.evaluate(async (device) => {
    const { pipeline } = await import('@huggingface/transformers');
    const g = await pipeline('text-generation', 'bigram', { device, dtype: 'q4' });
    const ids = g.tokenizer.encode('hello');
    const t0 = performance.now();
    const out = await g('hello', { max_new_tokens: 8, do_sample: false, return_full_text: false } as any);
    return { out, ids, ms: performance.now() - t0 };
   }, device), performance.now()-t0);
  }
});
void assert; void successor;
