import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, readdirSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { writeHollowGguf } from '../support/builders/hollow-gguf.ts';
import { hollowModel, PLM_1_8B } from '../support/builders/hollow-model.ts';
import { runCli } from '../support/drivers/run-cli.ts';
import { fixture } from '../support/paths.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const TINY = fixture('plm-tiny');

/** A GGUF of PLM-1.8B whose weights are a hole. */
function hollowGguf(t: TestContext, recipe = 'bf16'): string {
  return writeHollowGguf(hollowModel(PLM_1_8B), temporaryFolder(t), recipe);
}

describe('plan', () => {
  it('--json predicts PLM-1.8B from a file whose weights are a hole', async (t) => {
    const { code, stdout, stderr } = await runCli(['plan', hollowGguf(t), '--json']);
    assert.deepEqual([code, stderr], [0, '']);
    const { context, targets, devices } = JSON.parse(stdout);
    assert.equal(context, 4096);
    assert.deepEqual(
      targets.map(({ target }: { target: string }) => target),
      ['gguf:q8_0', 'gguf:q6_k', 'gguf:q4_k_m', 'gguf:q3_k_m'],
    );
    const [q8] = targets;
    assert.deepEqual(
      [q8.weightBytes, q8.cache, q8.kvBytesPerToken, q8.kvBytes],
      [1_939_988_480, 'expanded', 327_680, 1_342_177_280],
    );
    assert.deepEqual(
      devices.map(({ name }: { name: string }) => name),
      ['raspberry-pi-5', 'phone', 'jetson-orin-nano', 'laptop'],
    );
    assert.deepEqual(
      q8.devices.map(({ fits }: { fits: boolean }) => fits),
      [true, true, true, true],
    );
  });

  it('takes a checkpoint folder whose weights are a hole, and says the size that convert plans', async (t) => {
    const folder = path.join(temporaryFolder(t), 'hollow');
    mkdirSync(folder);
    for (const name of readdirSync(TINY)) copyFileSync(path.join(TINY, name), path.join(folder, name));
    const weights = path.join(folder, 'model.safetensors');
    const { size } = statSync(weights);
    truncateSync(weights, 20_000);
    truncateSync(weights, size);
    const plan = JSON.parse((await runCli(['plan', folder, '--to', 'gguf:q8_0', '--json'])).stdout);
    const convert = ['convert', folder, '--to', 'gguf:q8_0', '-o', 'x', '--dry-run', '--json'];
    assert.equal(plan.targets[0].fileBytes, JSON.parse((await runCli(convert)).stdout).files[0].bytes);
  });

  it('prints tables', async (t) => {
    const argv = ['plan', hollowGguf(t), '--to', 'gguf:q4_k_m', '--device', 'raspberry-pi-5'];
    const { code, stdout, stderr } = await runCli(argv);
    assert.deepEqual([code, stderr], [0, '']);
    assert.match(stdout, /^PLM-1\.8B-Instruct, context 4,096\n/);
    assert.match(
      stdout,
      /^gguf:q4_k_m +1\.19 GB +1\.19 GB +3\.65 -> 4\.99 +328 kB +1\.34 GB +327 MB +2\.85 GB$/m,
    );
    assert.match(stdout, /^raspberry-pi-5 +gguf:q4_k_m +14\.4 +6\.8 +2\.85 GB of 7\.00 GB {2}yes$/m);
  });

  it('takes a quantized source: sizes are the same however it is stored', async (t) => {
    const argv = ['plan', hollowGguf(t, 'q8_0'), '--to', 'gguf:q6_k', '--json'];
    const { code, stdout } = await runCli(argv);
    assert.deepEqual([code, JSON.parse(stdout).targets[0].weightBytes], [0, 1_497_921_536]);
  });

  it('--gguf-arch and --cache plan what convert writes with them', async (t) => {
    const source = hollowGguf(t);
    const planned = async (...argv: string[]) => {
      const { code, stdout, stderr } = await runCli(['plan', source, ...argv, '--json']);
      assert.equal(code, 0, stderr);
      const { weightBytes, cache, kvBytesPerToken } = JSON.parse(stdout).targets[0];
      return [weightBytes, cache, kvBytesPerToken];
    };
    const deepseek2 = ['--to', 'gguf:q8_0', '--gguf-arch', 'deepseek2'];
    assert.deepEqual(await planned(...deepseek2), [2_510_413_824, 'latent', 36_864]);
    const expanded = ['--to', 'onnx:f16', '--cache', 'expanded'];
    assert.deepEqual(await planned(...expanded), [3_650_916_352, 'expanded', 327_680]);
    const { code, stderr } = await runCli(['plan', source, '--to', 'onnx:q4', '--gguf-arch', 'deepseek2']);
    assert.equal(code, 2);
    assert.match(stderr, /--gguf-arch is for gguf targets, expected --to gguf:…/);
  });

  it('--must-fit fails where something does not fit, after the prediction', async (t) => {
    const argv = ['plan', hollowGguf(t), '--to', 'gguf:bf16', '--to', 'gguf:f32', '--must-fit', '--json'];
    const { code, stdout, stderr } = await runCli(argv);
    assert.equal(code, 6);
    assert.equal(JSON.parse(stdout).targets.length, 2);
    assert.match(
      stderr,
      /^plmpress: error: gguf:f32 with 4,096 tokens needs 8\.97 GB, raspberry-pi-5 has 7\.00 GB to use \(and 2 more\)\n$/,
    );
  });

  it('--must-fit is silent where all fits', async () => {
    const { code, stderr } = await runCli(['plan', TINY, '--must-fit']);
    assert.deepEqual([code, stderr], [0, '']);
  });

  it('--device-file adds devices', async (t) => {
    const file = path.join(temporaryFolder(t), 'devices.json');
    const board = { name: 'board', bytesPerSecond: 4_354_048, memoryBytes: 20_000_000, usableShare: 1 };
    writeFileSync(file, JSON.stringify({ devices: [board] }));
    const argv = ['plan', TINY, '--device-file', file, '--device', 'board', '--to', 'gguf:q8_0', '--json'];
    const { devices, targets } = JSON.parse((await runCli(argv)).stdout);
    assert.deepEqual(devices, [board]);
    assert.equal(targets[0].devices[0].fits, false);
    const idle = await runCli(['plan', TINY, '--device-file', file, '--device', 'phone']);
    assert.equal(idle.code, 2);
    assert.match(idle.stderr, /--device names no device of \S+devices\.json, expected board$/m);

    writeFileSync(file, JSON.stringify({ devices: [{ ...board, usableShare: 2 }] }));
    const { code, stderr } = await runCli(argv);
    assert.equal(code, 3);
    assert.match(stderr, /devices\.json: devices\[0\]\.usableShare: wrong value, got 2, expected a number/);
  });

  it('--quality best predicts what measuring takes, as a dry run of convert does', async (t) => {
    const [target, tokens] = ['--to=gguf:q4_k_m', '--calibration-tokens=300'];
    const plan = ['plan', TINY, target, '--json'];
    const { measuring } = JSON.parse((await runCli([...plan, '--quality', 'best', tokens])).stdout);
    assert.equal(measuring.tokens, 300);
    assert.ok(!('measuring' in JSON.parse((await runCli(plan)).stdout)));

    const output = path.join(temporaryFolder(t), 'out');
    const convert = ['convert', TINY, target, '--quality', 'best', tokens, '-o', output, '--dry-run'];
    for (const command of [['plan', TINY, target, '--quality', 'best', tokens], convert]) {
      const { code, stdout } = await runCli(command);
      assert.equal(code, 0);
      assert.match(
        stdout,
        /^--quality best reads 300 tokens and takes some \S+ \S+ on \d+ threads?:\n {2}running the model over the text \d+ %, second moments \d+ %, factors \d+ %, rounding \d+ %\n {2}\S+ MB of memory and no disk beside the output$/m,
      );
    }
    assert.deepEqual(readdirSync(path.dirname(output)), []);
  });
});
