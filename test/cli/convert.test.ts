import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { absorbMla } from '../../src/passes/absorb-mla.ts';
import { planTarget } from '../../src/pipeline/planning/target.ts';
import { remarks } from '../../src/press/remarks.ts';
import { hollowModel, SMALL_PLM } from '../support/builders/hollow-model.ts';
import { imatrixGguf, imatrixTensors } from '../support/builders/imatrix-files.ts';
import { BLOCKS_OF_32, writeRandomCheckpoint } from '../support/builders/random-checkpoint.ts';
import { runCli, spawnCli } from '../support/drivers/run-cli.ts';
import { digestsOf, sha256 } from '../support/oracles/digests.ts';
import { fixture } from '../support/paths.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const TINY = fixture('plm-tiny');
/** What the artifacts of plm-tiny take, heads included. */
const Q8_0_BYTES = 4_411_360;

describe('convert', () => {
  it('tells once, before it begins, what the source and the passes have to say', async () => {
    const model = hollowModel(SMALL_PLM, { notes: ['of the source'] });
    const target = await planTarget(model, 'gguf:f32');
    const { notes } = absorbMla.run(model, { form: 'premultiplied' });
    const absorbed = { ...target, passes: ['absorb-mla'], model: { ...model, notes } };
    assert.deepEqual(remarks(model, [target, absorbed, absorbed]), [
      'of the source',
      'pass absorb-mla runs',
      'absorb-mla:form=premultiplied adds 589,824 parameters (1,287,936 to 1,877,760)',
    ]);
  });

  it('refuses a premultiplied model for either arch of a GGUF (exit 7), and leaves no trace', async (t) => {
    const output = path.join(temporaryFolder(t), 'out');
    const argv = [
      'convert',
      TINY,
      '--to',
      'gguf:q8_0',
      '-o',
      output,
      '--pass',
      'absorb-mla:form=premultiplied',
    ];
    for (const arch of ['plm', 'deepseek2']) {
      const { code, stderr } = await runCli([...argv, '--gguf-arch', arch]);
      assert.equal(code, 7);
      assert.match(
        stderr,
        new RegExp(
          `error: kv_b_proj: GGUF arch ${arch} stores it, but this model has it in other matrices; `,
        ),
      );
      assert.ok(!existsSync(output));
    }
  });

  it('--verify writes an artifact and tells people about it', async (t) => {
    const output = path.join(temporaryFolder(t), 'out');
    const { code, stdout, stderr } = await runCli([
      ...['convert', TINY, '--to', 'gguf:q8_0', '-o', output, '--verify'],
      ...['--text', fixture('text', 'eval.txt')],
    ]);
    assert.equal(code, 0, stderr);
    assert.deepEqual(readdirSync(output).sort(), ['plm-tiny-Q8_0.gguf', 'plmpress.json']);
    assert.match(stdout, /^plm-tiny-Q8_0\.gguf +4\.41 MB +4,411,360 +8\.52 +0\.00\d+ in \S+$/m);
    assert.match(stdout, /^plm-tiny: 8\.17 MB -> 4\.41 MB \(54 %\) in 1 file, .+, peak memory .+ MB$/m);
    assert.match(
      stdout,
      /^verified gguf:q8_0: mean KLD .* \(at most .*\), top-1 9\d\.\d\d %, .* 2,048 tokens$/m,
    );
    assert.match(stderr, /^plmpress: convert: 4\.\d+ MB$/m);
    assert.match(
      stderr,
      /^plmpress: run it in llama\.cpp with flash attention off: llama-cli -m \S+ -fa off$/m,
    );
  });

  it('--gguf-arch deepseek2 writes and verifies the other file, and tells what it costs', async (t) => {
    const output = path.join(temporaryFolder(t), 'out');
    const argv = ['convert', TINY, '--to', 'gguf:q4_k_m', '-o', output, '--gguf-arch', 'deepseek2'];
    const { code, stdout, stderr } = await runCli([...argv, '--verify']);
    assert.equal(code, 0, stderr);
    assert.match(
      stdout,
      /^compared gguf:q4_k_m: mean KLD 0\.00\d+ \(no limit\), .*; tensors, hyperparameters and tokenizer pass$/m,
    );
    assert.doesNotMatch(stdout, /verified|passed/);
    assert.match(stderr, /^plmpress: pass absorb-mla runs$/m);
    assert.match(stderr, /^plmpress: arch deepseek2 has no ReLU\^2: .* beta 64, .* 2\.7e-6 of its values$/m);
    assert.match(
      stderr,
      /^plmpress: gguf:q4_k_m: model\.layers\.0\.self_attn\.k_b_proj\.weight, .* and 1 more become Q5_0: a row of 32 /m,
    );
    assert.match(stderr, /^plmpress: run it in llama\.cpp: llama-cli -m \S+deepseek2-Q4_K_M\.gguf$/m);
    const manifest = JSON.parse(readFileSync(path.join(output, 'plmpress.json'), 'utf8'));
    assert.deepEqual(manifest.artifacts[0].options, { recipe: 'q4_k_m', ggufArch: 'deepseek2' });
    const file = path.join(output, manifest.artifacts[0].files[0]);
    assert.equal((await runCli(['verify', output, '--against', TINY])).code, 0);
    assert.match((await runCli(['inspect', file])).stdout, /k_b_proj\.weight +Q5_0 +8 x 256 x 32 /);
    assert.equal((await runCli(['generate', file, '--prompt', 'Call me', '-n', '2'])).code, 0);
  });

  it('--json prints the manifest with seconds and peakRss added, and the verifications', async (t) => {
    const output = path.join(temporaryFolder(t), 'out');
    const argv = [
      'convert',
      TINY,
      '--to',
      'gguf:q8_0',
      '--to',
      'gguf:q4_0',
      '-o',
      output,
      '--json',
      '--quiet',
    ];
    const { code, stdout, stderr } = await runCli([...argv, '--verify']);
    assert.deepEqual([code, stderr], [0, '']);
    const { seconds, peakRss, verifications, ...rest } = JSON.parse(stdout);
    assert.deepEqual(rest, JSON.parse(readFileSync(path.join(output, 'plmpress.json'), 'utf8')));
    assert.ok(seconds > 0 && Number.isInteger(peakRss) && peakRss > 10e6);
    assert.deepEqual(Object.keys(verifications), ['gguf:q8_0', 'gguf:q4_0']);
    assert.ok(verifications['gguf:q8_0'].kld.mean < verifications['gguf:q4_0'].kld.mean);
  });

  it('--dry-run tells exact sizes and leaves no trace', async (t) => {
    const output = path.join(temporaryFolder(t), 'out');
    const argv = ['convert', TINY, '--to', 'gguf:q8_0', '-o', output, '--dry-run'];
    const { code, stdout, stderr } = await runCli([...argv, '--json']);
    assert.deepEqual([code, stderr], [0, '']);
    const { dryRun, files, artifacts } = JSON.parse(stdout);
    assert.deepEqual([dryRun, files], [true, [{ path: 'plm-tiny-Q8_0.gguf', bytes: Q8_0_BYTES }]]);
    assert.equal(artifacts[0].tensors.length, 38);
    assert.match((await runCli(argv)).stdout, /nothing written \(--dry-run\)\n$/);
    assert.ok(!existsSync(output));
  });

  it('--strict refuses what would be stored in another scheme', async (t) => {
    const folder = temporaryFolder(t);
    writeRandomCheckpoint(path.join(folder, 'thin'), { config: BLOCKS_OF_32 });
    const argv = ['convert', path.join(folder, 'thin'), '--to', 'gguf:q4_0', '-o', path.join(folder, 'out')];
    const { code, stderr } = await runCli([...argv, '--strict']);
    assert.equal(code, 7);
    assert.match(stderr, /^plmpress: error: .*cannot be stored as Q6_K and --strict forbids Q8_0: /m);
    assert.match(
      (await runCli(argv)).stderr,
      /^plmpress: gguf:q4_0: model\.embed_tokens\.weight becomes Q8_0: /m,
    );
  });

  it('takes schemes for tensors and for the embedding, and records them', async (t) => {
    const output = path.join(temporaryFolder(t), 'out');
    const argv = ['convert', TINY, '--to', 'gguf:q4_0', '-o', output, '--json', '--quiet'];
    const types = [
      '--tensor-type',
      'ffn_up=f16',
      '--tensor-type',
      'FFN_=q6_k',
      '--token-embedding-type',
      'q8_0',
    ];
    const { code, stdout, stderr } = await runCli([...argv, ...types, '--kv-b-rule', '2025-03']);
    assert.equal(code, 0, stderr);
    const { options, tensors } = JSON.parse(stdout).artifacts[0];
    assert.deepEqual(options, {
      recipe: 'q4_0',
      tokenEmbedding: 'Q8_0',
      tensorTypes: ['ffn_up=F16', 'FFN_=Q6_K'],
      kvBRule: '2025-03',
    });
    const scheme = (name: string) => tensors.find((tensor: { name: string }) => tensor.name === name).scheme;
    assert.deepEqual(
      ['token_embd', 'blk.1.ffn_up', 'blk.1.ffn_down', 'blk.0.ffn_norm', 'blk.3.attn_q'].map((name) =>
        scheme(`${name}.weight`),
      ),
      ['Q8_0', 'F16', 'Q6_K', 'F32', 'Q4_0'],
    );
  });

  it('tells which options change nothing in some targets, and what a dry run leaves out', async (t) => {
    const output = path.join(temporaryFolder(t), 'out');
    const { code, stderr } = await runCli([
      ...['convert', TINY, '--to', 'gguf:q8_0', '--to', 'onnx:q4', '--to', 'webgpu:q4', '-o', output],
      ...['--pure', '--tensor-type', 'self_attn.q_proj=q8', '--cache', 'latent'],
      ...['--pass', 'dedupe-tensors', '--verify', '--resume', '--dry-run'],
    ]);
    assert.equal(code, 0, stderr);
    assert.deepEqual(stderr.trimEnd().split('\n'), [
      'plmpress: --cache is for onnx targets, not for gguf:q8_0, webgpu:q4',
      'plmpress: --tensor-type is for gguf and webgpu targets, not for onnx:q4',
      'plmpress: --pure is for gguf targets, not for onnx:q4, webgpu:q4',
      'plmpress: --resume does nothing with --dry-run',
      'plmpress: --verify does nothing with --dry-run',
      'plmpress: --tensor-type self_attn.q_proj=Q8_0 changes nothing in gguf:q8_0: no matrix matches it, or an earlier option decides for all that do',
      'plmpress: --pure changes nothing in gguf:q8_0: its recipe has only one scheme',
      'plmpress: pass dedupe-tensors runs',
      'plmpress: pass absorb-mla runs',
      'plmpress: pass dedupe-tensors finds nothing to do',
    ]);
  });

  it('--imatrix gives importances, records the file, and never writes over it', async (t) => {
    const folder = temporaryFolder(t);
    const output = path.join(folder, 'out');
    const imatrix = path.join(folder, 'plm-tiny-Q8_0.gguf');
    const statistics = {
      'blk.0.attn_q.weight': { sums: Array<number>(256).fill(3), count: 2 },
      'blk.1.attn_q.weight': { sums: Array<number>(256).fill(0), count: 0 },
      'output.weight': { sums: [1], count: 1 },
    };
    writeFileSync(imatrix, imatrixGguf(imatrixTensors(statistics)));
    const argv = ['convert', TINY, '--to', 'gguf:q8_0', '--to', 'gguf:q4_1', '--imatrix', imatrix, '--json'];
    const { code, stdout, stderr } = await runCli([...argv, '-o', output]);
    assert.equal(code, 0, stderr);
    const [, artifact] = JSON.parse(stdout).artifacts;
    assert.deepEqual(artifact.options, {
      recipe: 'q8_0',
      imatrix: 'plm-tiny-Q8_0.gguf',
      imatrixSha256: sha256(imatrix),
    });
    assert.match(stderr, /^plmpress: --imatrix changes nothing in gguf:q8_0: none of its matrices is /m);
    for (const note of [
      /Q8_0\.gguf: 1 entry has seen no activations, .* in blk\.1\.attn_q\.weight$/m,
      /Q8_0\.gguf: the model has no matrices for these entries: output\.weight$/m,
      /Q8_0\.gguf has no importances for blk\.0\.attn_kv_a_mqa\.weight, .* and 19 more$/m,
    ]) {
      assert.match(stderr, note);
    }
    const refused = await runCli([...argv, '-o', folder, '--force']);
    assert.equal(refused.code, 4);
    assert.match(refused.stderr, /is an input of this run/);
  });

  it('takes a quantized GGUF with --allow-requantize only', async (t) => {
    const output = path.join(temporaryFolder(t), 'out');
    assert.equal((await runCli(['convert', TINY, '--to', 'gguf:q8_0', '-o', output, '--quiet'])).code, 0);
    const source = path.join(output, 'plm-tiny-Q8_0.gguf');
    const argv = ['convert', source, '--to', 'gguf:q4_k_m', '-o', output];
    const { code, stderr } = await runCli(argv);
    assert.equal(code, 7);
    assert.match(stderr, /error: tensor "token_embd\.weight": requantizing from Q8_0 to Q6_K /);
    assert.equal((await runCli([...argv, '--allow-requantize', '--quiet'])).code, 0);
    assert.deepEqual(
      readdirSync(output)
        .filter((name) => name.endsWith('.gguf'))
        .sort(),
      ['plm-tiny-Q4_K_M.gguf', 'plm-tiny-Q8_0.gguf'],
    );
  });

  it('keeps what it has written where the check is interrupted, and says so', async (t) => {
    const output = path.join(temporaryFolder(t), 'out');
    const argv = ['convert', TINY, '--to', 'gguf:q8_0', '--to', 'gguf:f16', '-o', output, '--verify'];
    let sent = false;
    const { code, stdout, stderr } = await spawnCli(argv, (text, kill) => {
      if (sent || !text.includes('compare tensors')) return;
      sent = true;
      kill('SIGINT');
    });
    assert.deepEqual([code, stdout], [130, '']);
    const files = ['Q8_0', 'F16'].map((scheme) => path.join(output, `plm-tiny-${scheme}.gguf`));
    assert.ok(
      stderr.endsWith(
        `plmpress: ${files.join(', ')} are complete and stay, but are not verified: \`plmpress verify\` does that\nplmpress: error: interrupted by SIGINT\n`,
      ),
      stderr,
    );
    const manifest = JSON.parse(readFileSync(path.join(output, 'plmpress.json'), 'utf8'));
    assert.equal(manifest.artifacts.length, 2);
    for (const file of files) assert.ok(existsSync(file));
  });

  it('tells how to run only what has passed its check', async (t) => {
    const folder = temporaryFolder(t);
    const text = path.join(folder, 'text');
    writeFileSync(text, 'Call me Ishmael. Some years ago');
    const argv = ['convert', TINY, '--to', 'gguf:q8_0', '-o', path.join(folder, 'out')];
    const { code, stderr } = await runCli([...argv, '--verify', '--text', text, '--max-kld', '0']);
    assert.equal(code, 6);
    assert.match(stderr, /^plmpress: error: gguf:q8_0: mean KLD/m);
    assert.doesNotMatch(stderr, /run it/);
  });

  it('replaces nothing without --force', async (t) => {
    const output = path.join(temporaryFolder(t), 'out');
    mkdirSync(output);
    writeFileSync(path.join(output, 'plm-tiny-F16.gguf'), 'mine');
    const before = digestsOf(output);
    const argv = ['convert', TINY, '--to', 'gguf:f16', '-o', output];
    const { code, stderr } = await runCli(argv);
    assert.equal(code, 4);
    assert.match(
      stderr,
      /^plmpress: error: plm-tiny-F16\.gguf: exists already in \S+\/out; --force replaces it$/m,
    );
    assert.deepEqual(digestsOf(output), before);
    assert.equal((await runCli([...argv, '--force', '--quiet'])).code, 0);
    assert.notDeepEqual(digestsOf(output), before);
  });

  it('--shard-size splits, and verify reads the shards', async (t) => {
    const output = path.join(temporaryFolder(t), 'out');
    const argv = ['convert', TINY, '--to', 'gguf:bf16', '-o', output, '--shard-size', '3MB'];
    assert.equal((await runCli([...argv, '--quiet'])).code, 0);
    const names = readdirSync(output).filter((name) => name.endsWith('.gguf'));
    assert.deepEqual(names.sort()[0], 'plm-tiny-BF16-00001-of-00003.gguf');
    const { code, stdout } = await runCli(['verify', output, '--against', TINY, '--tokens', '64', '--json']);
    assert.equal(code, 0);
    assert.equal(JSON.parse(stdout).kld.max, 0, 'bf16 holds the weights exactly');
  });

  it('leaves nothing when SIGINT or SIGTERM ends it', async (t) => {
    const folder = temporaryFolder(t);
    // One thread needs long enough for it that the signal comes in time.
    const config = { ...BLOCKS_OF_32, hidden_size: 1024, intermediate_size: 8192, num_hidden_layers: 2 };
    writeRandomCheckpoint(path.join(folder, 'large'), { config, dtype: 'F32' });
    const output = path.join(folder, 'new', 'out');
    const argv = ['convert', path.join(folder, 'large'), '--to', 'gguf:q4_0', '-o', output, '--threads', '1'];
    for (const [signal, code] of [
      ['SIGINT', 130],
      ['SIGTERM', 143],
    ] as const) {
      let sent = false;
      const result = await spawnCli(argv, (text, kill) => {
        if (sent || !/^plmpress: convert:/m.test(text)) return;
        sent = true;
        kill(signal);
      });
      assert.deepEqual([result.code, result.stdout], [code, '']);
      assert.match(result.stderr, new RegExp(`^plmpress: error: interrupted by ${signal}$`, 'm'));
      assert.ok(!existsSync(path.join(folder, 'new')));
    }
  });
});
