import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { it, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { writeRandomCheckpoint } from './support/builders/random-checkpoint.ts';
import { fixtureText } from './support/builders/statistics.ts';
import { fetchNode } from './support/drivers/node-version.ts';
import { treeDigests } from './support/oracles/digests.ts';
import { temporaryFolder } from './support/temporary-folder.ts';

/** One of each line. Math.pow of 24 is another than that of 20 and 22. */
const VERSIONS = ['20.20.2', '22.23.3', '24.21.0'];

/**
 * Small, but for its tables of rotations: 32 frequencies at 8,192 positions. With base 500,000, Math.pow
 * moves a cosine.
 */
const CONFIG = {
  hidden_size: 64,
  intermediate_size: 96,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  kv_lora_rank: 64,
  qk_nope_head_dim: 16,
  qk_rope_head_dim: 64,
  v_head_dim: 32,
  max_position_embeddings: 8192,
};

const THETAS = [10_000, 100_000, 500_000, 1_000_000];

/** Lines that write every format, and what else is computed of powers and logarithms. */
const LINES = [
  ...THETAS.map((theta) => `convert ../${theta} --to gguf:q4_0 --to onnx:q4 --to webgpu:q4 -o ${theta}`),
  'calibrate ../500000 --text ../text -o stats',
  'convert ../500000 --to gguf:q4_0 --pass scale-ffn --pass scale-inputs --statistics stats --imatrix stats -o passes',
  'verify 500000/500000-Q4_0.gguf --against ../500000 --text ../text --report report.html',
];

/** Writes the checkpoints that `LINES` read. */
function workplace(t: TestContext): string {
  const folder = temporaryFolder(t);
  writeFileSync(path.join(folder, 'text'), fixtureText('calibration', 300));
  for (const theta of THETAS) {
    writeRandomCheckpoint(path.join(folder, `${theta}`), { config: { ...CONFIG, rope_theta: theta } });
  }
  return folder;
}

const majorOf = (version: string) => version.split('.')[0];

it('every format has the same bytes under Node 20, 22 and 24', async (t) => {
  const folder = workplace(t);
  const driver = fileURLToPath(new URL('./support/drivers/run-lines.js', import.meta.url));
  const lines = JSON.stringify(LINES.map((line) => line.split(' ')));
  const written: ReadonlyMap<string, string>[] = [];
  for (const version of VERSIONS) {
    const isThis = majorOf(version) === majorOf(process.versions.node);
    const node = isThis ? { program: process.execPath } : fetchNode(version);
    // Without a registry there is no other Node: the text says so.
    if (typeof node === 'string') return t.skip(node);
    const cwd = path.join(folder, majorOf(version)!);
    mkdirSync(cwd);
    execFileSync(node.program, [driver, lines], { cwd });
    written.push(treeDigests(cwd));
    assert.deepEqual(written.at(-1), written[0], `Node ${version}`);
  }
  assert.ok(written[0]!.size > 50, `${written[0]!.size} files`);
});
