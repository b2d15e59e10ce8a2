import assert from 'node:assert/strict';
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, it, type TestContext } from 'node:test';
import { MANIFEST_NAME } from '../../../src/pipeline/record/manifest.ts';
import { editRecord, SplitJob } from '../../support/builders/split-job.ts';
import { treeDigests } from '../../support/oracles/digests.ts';
import { assertRejects, type Rejection } from '../../support/rejects.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

describe('parts of a conversion', () => {
  const cleanup: (() => void)[] = [];
  let job: SplitJob;
  let expected: Map<string, string>;
  let three: readonly string[];

  before(async () => {
    job = new SplitJob(temporaryFolder({ after: (work) => cleanup.push(work as () => void) }));
    expected = treeDigests(await job.whole());
    three = await job.parts(3);
  });
  after(() => {
    for (const work of cleanup) work();
  });

  async function assertMerges(parts: readonly string[]): Promise<void> {
    const output = await job.merge(parts);
    assert.deepEqual(treeDigests(output), expected);
    rmSync(output, { recursive: true });
  }

  it('are what a single run writes, byte for byte, plmpress.json included', async () => {
    assert.ok(
      [...expected.keys()].some((name) => /-00002-of-0000\d\.gguf$/.test(name)),
      'shards of output',
    );
    assert.ok(expected.has(MANIFEST_NAME) && expected.has('config.json'));
    await assertMerges(three);
  });

  it('in any order of folders, and of any number', async () => {
    await assertMerges(three.toReversed());
    const five = await job.parts(5);
    await assertMerges([3, 0, 4, 2, 1].map((index) => five[index]!));
  });

  it('in one folder', async (t) => {
    const folder = temporaryFolder(t);
    for (const part of three) cpSync(part, folder, { recursive: true });
    await assertMerges([folder]);
  });

  it('of which some hold nothing, where there are more than tensors', async () => {
    const tensors = JSON.parse(
      readFileSync(path.join(job.folder, 'whole', MANIFEST_NAME), 'utf8'),
    ).artifacts.flatMap((artifact: { tensors: unknown[] }) => artifact.tensors);
    const parts = await job.parts(tensors.length + 5);
    const empty = parts.filter((part) => readFileSync(path.join(part, rowsOf(part))).length === 0);
    assert.ok(empty.length >= 5);
    await assertMerges(parts);
  });

  it('hold about the same each', () => {
    const sizes = three.map((part) => readFileSync(path.join(part, rowsOf(part))).length);
    assert.ok(Math.max(...sizes) < 2 * Math.min(...sizes), sizes.join());
  });

  describe('are refused by name', () => {
    /** Copies of the three parts, changed by `edit`, with a rejection. */
    async function assertRefused(
      t: TestContext,
      edit: (parts: string[]) => string[] | undefined | Promise<string[] | undefined>,
      rejection: Rejection,
    ): Promise<void> {
      const folder = temporaryFolder(t);
      const copies = three.map((part) => path.join(folder, path.basename(part)));
      for (const [index, part] of three.entries()) cpSync(part, copies[index]!, { recursive: true });
      const parts = (await edit(copies)) ?? copies;
      await assertRejects(job.folder, () => job.merge(parts), rejection);
      assert.equal(existsSync(path.join(job.folder, 'merged')), false);
    }

    const record = (part: string, number: number) => path.join(part, `plm-part-${number}-of-3.json`);
    const rows = (part: string, number: number) => path.join(part, `plm-part-${number}-of-3.bin`);
    const verification = (message: RegExp): Rejection => ({ failure: 'verification', message });
    const invalid = (message: RegExp): Rejection => ({ message });
    const spoil = (file: string, at: number) => {
      const bytes = readFileSync(file);
      bytes[at]! ^= 1;
      writeFileSync(file, bytes);
    };

    it('a part that is missing', (t) =>
      assertRefused(
        t,
        (parts) => [parts[0]!, parts[2]!],
        invalid(/^plm-part-2-of-3\.json: missing: part 2 of 3$/),
      ));

    it('a part that is there twice', (t) =>
      assertRefused(
        t,
        (parts) => [...parts, parts[1]!],
        invalid(/2\/plm-part-2-of-3\.json: is the same part as .*2-of-3\.json$/),
      ));

    it('a folder without a part', (t) =>
      assertRefused(
        t,
        (parts) => [...parts, path.dirname(parts[0]!)],
        invalid(/: contains no part of a conversion$/),
      ));

    it('a part without its rows', (t) =>
      assertRefused(
        t,
        (parts) => rmSync(rows(parts[1]!, 2)) as undefined,
        invalid(/\/plm-part-2-of-3\.bin: missing$/),
      ));

    it('a part of another source', (t) =>
      assertRefused(
        t,
        async (parts) => {
          const other = new SplitJob(path.join(path.dirname(parts[0]!)), 7);
          return [parts[0]!, (await other.parts(3))[1]!, parts[2]!];
        },
        verification(
          /2\/plm-part-2-of-3\.json: is of another conversion .*: model-0000\d-of-00002\.safetensors of the source differs$/,
        ),
      ));

    it('a part of another option', (t) =>
      assertRefused(
        t,
        async (parts) => [
          ...parts.slice(0, 2),
          (await job.parts(3, { pure: true }, `pure-${path.basename(path.dirname(parts[0]!))}`))[2]!,
        ],
        verification(/3\/plm-part-3-of-3\.json: is of another conversion .*: other targets or options$/),
      ));

    it('a part of another number of parts', (t) =>
      assertRefused(
        t,
        async (parts) => [
          ...parts,
          (await job.parts(4, {}, `four-${path.basename(path.dirname(parts[0]!))}`))[3]!,
        ],
        verification(/4\/plm-part-4-of-4\.json: is of another conversion .*: one of 4 parts, not of 3$/),
      ));

    it('parts of another version', (t) =>
      assertRefused(
        t,
        (parts) => {
          for (const [index, part] of parts.entries()) {
            editRecord(record(part, index + 1), (edited) => {
              (edited.job as { version: string }).version = '0.0.1';
            });
          }
          return undefined;
        },
        verification(/plm-part-1-of-3\.json: is of another version, got "0\.0\.1"/),
      ));

    it('a part of another plan', (t) =>
      assertRefused(
        t,
        (parts) => {
          editRecord(record(parts[2]!, 3), (edited) => {
            (edited.job as { plan: string }).plan = 'ab'.repeat(32);
          });
          return undefined;
        },
        verification(/3\/plm-part-3-of-3\.json: is of another conversion .*: another plan$/),
      ));

    it('parts of another plan', (t) =>
      assertRefused(
        t,
        (parts) => {
          for (const [index, part] of parts.entries()) {
            editRecord(record(part, index + 1), (edited) => {
              (edited.job as { plan: string }).plan = 'ab'.repeat(32);
            });
          }
          return undefined;
        },
        verification(/plm-part-1-of-3\.json: is of another plan: of another build/),
      ));

    for (const [name, at] of [
      ['first', 0],
      ['last', -1],
    ] as const) {
      it(`rows whose ${name} byte is another`, (t) =>
        assertRefused(
          t,
          (parts) => {
            const file = rows(parts[1]!, 2);
            spoil(file, at < 0 ? readFileSync(file).length - 1 : at);
            return undefined;
          },
          verification(/2\/plm-part-2-of-3\.bin: tensor ".+": has other rows than its record says$/),
        ));
    }

    it('rows that end too early', (t) =>
      assertRefused(
        t,
        (parts) => truncateSync(rows(parts[2]!, 3), 1000) as undefined,
        verification(
          /plm-part-3-of-3\.bin: has another size than its record says, got 1000, expected \d+ bytes$/,
        ),
      ));

    it('a record that is damaged', (t) =>
      assertRefused(
        t,
        (parts) => {
          const file = record(parts[0]!, 1);
          writeFileSync(
            file,
            readFileSync(file, 'utf8').replace(
              /"maxAbs": 0\.(\d)/,
              (_, digit) => `"maxAbs": 0.${(Number(digit) + 1) % 10}`,
            ),
          );
          return undefined;
        },
        verification(/plm-part-1-of-3\.json: is damaged: its SHA-256 differs$/),
      ));

    it('rows of tensors that are not its own', (t) =>
      assertRefused(
        t,
        (parts) => {
          editRecord(record(parts[0]!, 1), (edited) => (edited.tensors as unknown[]).reverse());
          return undefined;
        },
        verification(/plm-part-1-of-3\.json: is missing a tensor, got ".+", expected /),
      ));

    it('a tensor too many', (t) =>
      assertRefused(
        t,
        (parts) => {
          editRecord(record(parts[0]!, 1), (edited) => {
            const tensors = edited.tensors as object[];
            tensors.push({ ...tensors[0]!, name: '../../x', file: '/etc/passwd' });
          });
          return undefined;
        },
        verification(/plm-part-1-of-3\.json: has a tensor of another part: \.\.\/\.\.\/x$/),
      ));

    it('a record of a later version', (t) =>
      assertRefused(
        t,
        (parts) => {
          const file = record(parts[0]!, 1);
          const text = readFileSync(file, 'utf8');
          writeFileSync(file, text.replace('"schemaVersion": 1', '"schemaVersion": 2'));
          return undefined;
        },
        {
          failure: 'unsupported',
          message: /schemaVersion: the file was made by a newer version of plmpress/,
        },
      ));

    const malformed: readonly [name: string, edit: (text: string) => string, message: RegExp][] = [
      ['of another schema', (text) => text.replace('plmpress-part', 'other'), /schema: wrong value/],
      ['of part 0', (text) => text.replace('"number": 1', '"number": 0'), /part\.number: .* from 1 to 3$/],
      ['of a part too many', (text) => text.replace('"number": 1', '"number": 4'), /part\.number: /],
      [
        'of a billion parts',
        (text) => text.replace('"of": 3', '"of": 1000000000'),
        /part\.of: .* from 1 to 10000$/,
      ],
      [
        'with a number beyond all',
        (text) => text.replace('"of": 3', '"of": 1e400'),
        /plm-part-1-of-3\.json: /,
      ],
      [
        'with an error that is a word',
        (text) => text.replace(/"maxAbs": [\d.e-]+/, '"maxAbs": "NaN"'),
        /maxAbs: /,
      ],
      ['cut short', (text) => text.slice(0, -200), /plm-part-1-of-3\.json/],
      ['that is no JSON', () => '\0', /plm-part-1-of-3\.json/],
    ];
    for (const [name, edit, message] of malformed) {
      it(`a record ${name}`, (t) =>
        assertRefused(
          t,
          (parts) => {
            const file = record(parts[0]!, 1);
            const text = readFileSync(file, 'utf8');
            assert.notEqual(edit(text), text);
            writeFileSync(file, edit(text));
            return undefined;
          },
          invalid(message),
        ));
    }
  });

  it('do not need the weights of the source', async (t) => {
    const folder = temporaryFolder(t);
    cpSync(job.source, folder, { recursive: true });
    for (const name of readdirSync(folder).filter((file) => file.endsWith('.safetensors'))) {
      const weights = readFileSync(path.join(folder, name));
      writeFileSync(path.join(folder, name), weights.fill(0, weights.length / 2));
    }
    const output = await job.merge(three, { from: folder });
    assert.deepEqual(treeDigests(output), expected);
    rmSync(output, { recursive: true });
  });

  it('do not fit another source, nor another imatrix', async (t) => {
    const folder = temporaryFolder(t);
    const other = new SplitJob(folder, 1);
    writeFileSync(
      path.join(other.source, 'config.json'),
      `${readFileSync(path.join(other.source, 'config.json'), 'utf8')}\n`,
    );
    await assertRejects(job.folder, () => job.merge(three, { from: other.source }), {
      failure: 'verification',
      message: /^config\.json: size differs from the record, got \d+, expected \d+$/,
    });
    await assertRejects(job.folder, () => job.merge(three, { weighed: false }), {
      failure: 'usage',
      message: /^gguf:q4_k_m was made with imatrix\.gguf, expected --imatrix FILE$/,
    });
  });

  it('are replaced only with force', async () => {
    const again = () => job.parts(3);
    await assertRejects(three[0]!, again, {
      failure: 'local-io',
      message: /^plm-part-1-of-3\.json: exists already in \S+; --force replaces it$/,
    });
    assert.deepEqual(readdirSync(three[0]!).sort(), ['plm-part-1-of-3.bin', 'plm-part-1-of-3.json']);
  });
});

function rowsOf(part: string): string {
  return readdirSync(part).find((name) => name.endsWith('.bin'))!;
}
