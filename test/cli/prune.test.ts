import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { runCli } from '../support/drivers/run-cli.ts';
import { fixture } from '../support/paths.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const TINY = fixture('plm-tiny');

describe('pruning from the command line', () => {
  it('calibrates, prunes, tells a line per layer, verifies with the same statistics', async (t) => {
    const folder = temporaryFolder(t);
    const stats = path.join(folder, 'stats.gguf');
    const text = fixture('text', 'calibration.txt');
    const calibrated = await runCli([
      ...['calibrate', TINY, '--text', text, '--tokens', '1500', '--context', '256', '-o', stats],
      ...['--second-moments', 'down_proj', '--quiet'],
    ]);
    assert.equal(calibrated.code, 0, calibrated.stderr);

    const output = path.join(folder, 'out');
    const convert = (options: string, ...more: string[]) =>
      runCli([
        ...['convert', TINY, '--to', 'gguf:q8_0', '-o', output, '--statistics', stats],
        ...['--pass', `prune-ffn:${options}`, ...more],
      ]);
    const { code, stdout, stderr } = await convert('ratio=0.25', '--verify');
    assert.equal(code, 0, stderr);
    assert.match(stdout, /layer +neurons +removed +firing +removed fire at most \(95 %\)/);
    for (const layer of [0, 1, 2, 3]) {
      const line = new RegExp(`^ +${layer} +1,024 +256 +[\\d.]+ % .*768 neurons, least-squares$`, 'm');
      assert.match(stdout, line);
    }
    assert.match(stdout, /^compared gguf:q8_0: mean KLD [\d.]+ \(no limit\)/m);

    const manifest = JSON.parse(readFileSync(path.join(output, 'plmpress.json'), 'utf8'));
    const [artifact] = manifest.artifacts;
    assert.deepEqual(artifact.passes, ['prune-ffn:ratio=0.25']);
    assert.equal(artifact.options.statistics, 'stats.gguf');
    const figures = artifact.changes.flatMap((change: { figures?: object }) => change.figures ?? []);
    assert.equal(figures.length, 4);
    assert.ok(figures.every(({ measuredError }: { measuredError: number }) => measuredError > 0));

    const argv = ['verify', output, '--against', TINY, '--tokens', '300'];
    assert.equal((await runCli([...argv, '--statistics', stats])).code, 0);
    assert.equal((await runCli([...argv, '--statistics', stats, '--max-kld', '1e-6'])).code, 6);
    const without = await runCli(argv);
    assert.equal(without.code, 7);
    assert.match(without.stderr, /pass prune-ffn: needs statistics/);

    const perLayer = await convert('budget=0.01,widths=layer,multiple=32', '--force');
    assert.equal(perLayer.code, 7);
    assert.match(perLayer.stderr, /intermediate_size: GGUF arch plm has one FFN width for all layers/);
  });

  it('tells which file is no statistics', async (t) => {
    const folder = temporaryFolder(t);
    const argv = ['convert', TINY, '--to', 'gguf:q8_0', '-o', path.join(folder, 'out'), '--statistics'];
    const missing = await runCli([...argv, path.join(folder, 'none.gguf')]);
    assert.equal(missing.code, 4);
    const other = await runCli([...argv, path.join(TINY, 'config.json')]);
    assert.equal(other.code, 7);
    assert.match(other.stderr, /config\.json: no statistics of FFN neurons, expected a file of plmpress/);
    assert.equal(existsSync(path.join(folder, 'out')), false);
  });
});
