import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import test, { type TestContext } from 'node:test';
import { encodeModel } from '../../../formats/onnx/encode.ts';
import { VOCABULARY, writeBigram } from '../../support/builders/bigram-onnx.ts';
import { NO_BROWSER, openPage } from '../../support/drivers/browser.ts';
import { NO_GPU, openOnnx, placement, placementOf, Tensor } from '../../support/oracles/onnxruntime.ts';
import { continuations, logitsOf, useModels } from '../../support/oracles/transformers.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

/**
 * The runtimes that the tests of the exporter trust, on a model whose answers are plain: each token is
 * followed by the next.
 */
const TOKENS = [5, 77, 1999];
const NEXT = [6, 78, 2000];
const NAME = 'bigram';

function writeModels(t: TestContext): string {
  const models = temporaryFolder(t);
  writeBigram(path.join(models, NAME));
  return models;
}

/** The best token behind each position. */
function best(logits: ArrayLike<number>): number[] {
  return Array.from({ length: logits.length / VOCABULARY }, (_, position) => {
    const row = Array.from(logits).slice(position * VOCABULARY, (position + 1) * VOCABULARY);
    return row.indexOf(Math.max(...row));
  });
}

const textOf = ({ continuations: [only] }: Awaited<ReturnType<typeof continuations>>) => only!.text;

for (const [provider, skip] of [
  ['cpu', false],
  ['webgpu', NO_GPU],
] as const) {
  test(`onnxruntime runs a model on ${provider}`, { skip }, async (t) => {
    const file = path.join(writeModels(t), NAME, 'onnx', 'model_q4.onnx');
    const session = await openOnnx(t, file, provider);
    const shape = [1, TOKENS.length];
    const { logits } = await session.run({
      input_ids: new Tensor('int64', BigInt64Array.from(TOKENS, BigInt), shape),
      attention_mask: new Tensor('int64', new BigInt64Array(TOKENS.length).fill(1n), shape),
      'past_key_values.0.key': new Tensor('float32', new Float32Array(), [1, 1, 0, 32]),
    });
    assert.deepEqual(best(logits!.data as Float32Array), NEXT);
  });
}

test('onnxruntime tells which provider runs which node', { skip: NO_GPU }, async (t) => {
  const file = path.join(temporaryFolder(t), 'model.onnx');
  writeFileSync(
    file,
    encodeModel({
      irVersion: 10,
      opsets: { '': 21 },
      producerName: '',
      producerVersion: '',
      metadata: {},
      graph: {
        name: 'two providers',
        inputs: [{ name: 'x', type: 'float', shape: [1, 4] }],
        outputs: [{ name: 'z', type: 'bool', shape: [1, 4] }],
        initializers: [],
        nodes: [
          {
            name: 'square',
            opType: 'Mul',
            domain: '',
            attributes: {},
            inputs: ['x', 'x'],
            outputs: ['y'],
          },
          // No WebGPU kernel of onnxruntime looks for NaN.
          {
            name: 'check',
            opType: 'IsNaN',
            domain: '',
            attributes: {},
            inputs: ['y'],
            outputs: ['z'],
          },
        ],
      },
    }),
  );
  const [square, check] = [
    { op: 'Mul', name: 'square' },
    { op: 'IsNaN', name: 'check' },
  ];
  assert.deepEqual(await placement(t, file, 'cpu'), { CPUExecutionProvider: [square, check] });
  assert.deepEqual(await placement(t, file, 'webgpu'), {
    CPUExecutionProvider: [check],
    WebGpuExecutionProvider: [square, { op: 'MemcpyToHost', name: 'Memcpy' }],
  });
});

test('transformers.js runs a model in Node', async (t) => {
  await useModels(writeModels(t));
  const model = { name: NAME, device: 'cpu', dtype: 'q4' } as const;
  const { logits, shape } = await logitsOf({ model, tokens: TOKENS });
  assert.deepEqual(shape, [1, TOKENS.length, VOCABULARY]);
  assert.deepEqual(best(logits), NEXT);
  assert.equal(textOf(await continuations({ model, prompts: ['a'], tokens: 8 })), 'bcdefghi');
});

test('transformers.js runs a model in a browser', { skip: NO_BROWSER }, async (t) => {
  const page = await openPage(t, writeModels(t));
  for (const [device, provider] of [
    ['wasm', 'CPUExecutionProvider'],
    ['webgpu', 'WebGpuExecutionProvider'],
  ] as const) {
    await t.test(`on ${device}`, async () => {
      let log = '';
      page.on('console', (message) => {
        log += `${message.text()}\n`;
      });
      const model = { name: NAME, device, dtype: 'q4', session: { logSeverityLevel: 0 } } as const;
      const { logits, shape } = await page.evaluate(logitsOf, { model, tokens: TOKENS });
      assert.deepEqual(shape, [1, TOKENS.length, VOCABULARY]);
      assert.deepEqual(best(logits), NEXT);
      const task = { model, prompts: ['a'], tokens: 8 };
      assert.equal(textOf(await page.evaluate(continuations, task)), 'bcdefghi');
      assert.deepEqual(Object.keys(placementOf(log)), [provider]);
    });
  }
});
