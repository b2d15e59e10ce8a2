import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { fixtureText } from '../support/builders/statistics.ts';
import { runCli } from '../support/drivers/run-cli.ts';
import { fixture } from '../support/paths.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const TINY = fixture('plm-tiny');
const SIZE = 2_400_000;

function workplace(t: TestContext) {
  const folder = temporaryFolder(t);
  const text = path.join(folder, 'text.txt');
  writeFileSync(text, fixtureText('calibration', 600));
  return { folder, text, plan: path.join(folder, 'plan.json') };
}

function short(folder: string): string {
  const file = path.join(folder, 'short.txt');
  writeFileSync(file, 'a');
  return file;
}

const convert = (output: string, ...more: string[]) =>
  runCli(['convert', TINY, '--to', 'gguf:q4_k_m', '-o', output, '--quiet', ...more]);

describe('--target-size', () => {
  it('writes a file of the size and a plan, which may be edited and gives the same bytes again', async (t) => {
    const { folder, text, plan } = workplace(t);
    const [first, again, edited] = ['first', 'again', 'edited'].map((name) => path.join(folder, name));
    const size = ['--target-size', `${SIZE}`, '--text', text, '--save-schemes', plan];
    const { code, stderr, stdout } = await convert(first!, ...size, '--json');
    assert.equal(code, 0, stderr);
    const name = readdirSync(first!).find((file) => file.endsWith('.gguf'))!;
    const { size: bytes } = statSync(path.join(first!, name));
    assert.ok(bytes <= SIZE && bytes > 0.98 * SIZE, `${bytes}`);
    const { allocation } = JSON.parse(stdout);
    assert.equal(allocation.bytes, bytes);
    assert.equal(allocation.tensors.length, 25);

    assert.equal((await convert(again!, '--schemes', plan, '--threads', '1')).code, 0);
    const content = (output: string) => readFileSync(path.join(output, name));
    assert.ok(content(first!).equals(content(again!)));

    const changed = JSON.parse(readFileSync(plan, 'utf8'));
    changed.tensors['blk.0.attn_q.weight'] = 'F16';
    writeFileSync(plan, JSON.stringify(changed));
    assert.equal((await convert(edited!, '--schemes', plan)).code, 0);
    const record = JSON.parse(readFileSync(path.join(edited!, 'plmpress.json'), 'utf8'));
    const tensor = record.artifacts[0].tensors.find(
      (known: { name: string }) => known.name === 'blk.0.attn_q.weight',
    );
    assert.equal(tensor.scheme, 'F16');

    // What it could only end with is refused before anything is measured, which a phase would tell.
    const late: [output: string, more: string[], message: RegExp][] = [
      ['refused', size, /plan\.json: exists already in \S+; --force replaces it/],
      ['first', size.slice(0, 4), /plm-tiny-Q4_K_M\.gguf: exists already in \S+first; --force replaces it/],
      ['refused', [...size.slice(0, 4), '--max-memory', '50MB'], /the memory limit is too small: 50 MB, /],
      [
        'refused',
        [...size.slice(0, 2), '--text', short(folder)],
        /tokens of text, got 1, expected at least 2/,
      ],
    ];
    for (const [output, more, message] of late) {
      const argv = ['convert', TINY, '--to', 'gguf:q4_k_m', '-o', path.join(folder, output), ...more];
      const refused = await runCli(argv);
      assert.ok([3, 4].includes(refused.code), refused.stderr);
      assert.match(refused.stderr, message);
      assert.doesNotMatch(refused.stderr, /measure/);
    }
    assert.ok(!existsSync(path.join(folder, 'refused')));
  });

  it('refuses plans that are none', async (t) => {
    const { folder, plan } = workplace(t);
    const good = { schema: 'plmpress-scheme-plan', version: 1, tensors: {} };
    const rows: [content: unknown, message: RegExp, code?: number][] = [
      [{ ...good, schema: 'x' }, /plan\.json: schema: .*plmpress-scheme-plan/],
      [{ ...good, version: 2 }, /plan\.json: version: the file was made by a newer version/, 7],
      [{ ...good, tensors: { 'blk.9.attn_q.weight': 'Q4_K' } }, /a scheme of a matrix that the model has/],
      [{ ...good, tensors: { 'blk.0.attn_norm.weight': 'Q4_K' } }, /a scheme of a matrix that the model has/],
      [{ ...good, tensors: { 'blk.0.attn_q.weight': 'Q4_X' } }, /a scheme, such as Q4_K/],
      [{ ...good, tensors: { 'blk.0.attn_q.weight': 4 } }, /blk\.0\.attn_q\.weight/],
      [{ ...good, tensors: [] }, /tensors/],
      [good, /plan\.json: tensors: .*a scheme of one matrix at least/],
    ];
    for (const [content, message, expected = 3] of rows) {
      writeFileSync(plan, JSON.stringify(content));
      const { code, stderr } = await convert(path.join(folder, 'out'), '--schemes', plan);
      assert.equal(code, expected, stderr);
      assert.match(stderr, message);
      assert.ok(!existsSync(path.join(folder, 'out')));
    }
  });
});

it('a dry run tells which scheme each matrix would get', async (t) => {
  const { folder, text } = workplace(t);
  writeFileSync(text, 'Call me Ishmael.');
  const { code, stdout, stderr } = await runCli([
    ...['convert', TINY, '--to', 'gguf:q4_0', '--target-size', `${SIZE}`, '--quality', 'fast'],
    ...['--text', text, '-o', path.join(folder, 'out'), '--dry-run'],
  ]);
  assert.equal(code, 0, stderr);
  assert.match(stdout, /^tensor +scheme +bytes +KLD alone +share$/m);
  assert.equal(stdout.match(/^\S+\.weight +I?Q\S+ +[\d,]+ +\S+ +[\d.]+ %$/gm)?.length, 25);
  assert.match(stdout, /^mean KLD \S+ predicted, \S+ measured over \d+ tokens$/m);
});

describe('sweep', () => {
  it('tells what sizes cost, and goes on from the points of a file', async (t) => {
    const { folder, text } = workplace(t);
    const file = path.join(folder, 'points.json');
    const sweep = (sizes: string, ...more: string[]) =>
      runCli([
        ...['sweep', TINY, '--to', 'gguf:q4_k_m', '--quality', 'fast', '--sizes', sizes, '--text', text],
        ...['-o', file, ...more],
      ]);
    const first = await sweep('70%,2400000', '--json', '--quiet');
    assert.equal(first.code, 0, first.stderr);
    const { points } = JSON.parse(first.stdout);
    assert.equal(points.length, 2);
    assert.equal(points[1].targetBytes, SIZE);
    for (const { targetBytes, allocation } of points) assert.ok(allocation.bytes <= targetBytes);
    assert.ok(points[1].comparison.kld.mean < points[0].comparison.kld.mean);

    const kept = readFileSync(file, 'utf8');
    const again = await sweep('70%,2400000', '--json', '--quiet');
    assert.deepEqual(JSON.parse(again.stdout).points, points);
    assert.equal(readFileSync(file, 'utf8'), kept);
    const other = await runCli([
      ...['sweep', TINY, '--to', 'gguf:q4_k_m', '--quality', 'fast', '--sizes', '70%', '-o', file],
    ]);
    assert.equal(other.code, 4, other.stderr);
    assert.match(other.stderr, /points\.json: belongs to another sweep; --force replaces it/);
    assert.equal(readFileSync(file, 'utf8'), kept);
    const { stdout: table } = await sweep('2400000');
    assert.match(table, /^ *at most +bytes +mean KLD +top-1 +predicted +matrices$/m);
    assert.match(table, /^ *2,400,000 +[\d,]+ +\S+ +[\d.]+ % +\S+ +\d+ I?Q\S+(, \d+ \S+)*$/m);
  });
});
