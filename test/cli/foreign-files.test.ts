import assert from 'node:assert/strict';
import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { gzipSync } from 'node:zlib';
import { runCli } from '../support/drivers/run-cli.ts';
import { fixture } from '../support/paths.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const TINY = fixture('plm-tiny');
/** Of the specification of Git LFS; git-xet of the Hub leaves the same. */
const LFS = `version https://git-lfs.github.com/spec/v1\noid sha256:${'0'.repeat(64)}\nsize 123\n`;
const PAGE = '\n<!DOCTYPE html><html><title>Log in</title></html>';

const LFS_HINT = /this is a Git LFS pointer, run git lfs pull$/m;
const PAGE_HINT = /this is an HTML page, as failed downloads leave$/m;

/** A folder that may be changed, with plm-tiny in it where that is asked for. */
function scratch(t: TestContext, checkpoint: boolean): string {
  const folder = temporaryFolder(t);
  if (checkpoint) cpSync(TINY, folder, { recursive: true });
  return folder;
}

async function assertNamed(argv: readonly string[], hint: RegExp): Promise<void> {
  const { code, stderr } = await runCli(argv);
  assert.equal(code, 3, stderr);
  assert.match(stderr, hint);
}

describe('a pointer of Git LFS in place of', () => {
  for (const name of ['config.json', 'tokenizer.json', 'generation_config.json', 'model.safetensors']) {
    it(`${name} of a checkpoint`, async (t) => {
      const folder = scratch(t, true);
      writeFileSync(path.join(folder, name), LFS);
      await assertNamed(['inspect', folder], LFS_HINT);
    });
  }

  const files: Readonly<Record<string, (file: string, out: string) => string[]>> = {
    'm.gguf': (file) => ['inspect', file],
    'm.onnx': (file) => ['inspect', file],
    'sample.txt': (file) => ['calibrate', TINY, '--text', file, '-o', `${file}.gguf`],
    'imatrix.gguf': (file, out) => ['convert', TINY, '--to', 'gguf:q4_k_m', '--imatrix', file, '-o', out],
    'imatrix.dat': (file, out) => ['convert', TINY, '--to', 'gguf:q4_k_m', '--imatrix', file, '-o', out],
  };
  for (const [name, argv] of Object.entries(files)) {
    it(name, async (t) => {
      const folder = scratch(t, false);
      const file = path.join(folder, name);
      writeFileSync(file, LFS);
      await assertNamed(argv(file, path.join(folder, 'out')), LFS_HINT);
    });
  }

  it('the weights of an adapter', async (t) => {
    const folder = scratch(t, false);
    const adapter = path.join(folder, 'adapter');
    mkdirSync(adapter);
    const config = { peft_type: 'LORA', r: 4, lora_alpha: 8, target_modules: ['q_proj'] };
    writeFileSync(path.join(adapter, 'adapter_config.json'), JSON.stringify(config));
    writeFileSync(path.join(adapter, 'adapter_model.safetensors'), LFS);
    const out = path.join(folder, 'out');
    await assertNamed(['convert', TINY, '--to', 'gguf:q8_0', '--adapter', adapter, '-o', out], LFS_HINT);
  });

  it('a text of more than a pointer is a text', async (t) => {
    const file = path.join(scratch(t, false), 'sample.txt');
    writeFileSync(file, `${LFS}${'a '.repeat(600)}`);
    const { code, stderr } = await runCli(['calibrate', TINY, '--text', file, '-o', `${file}.gguf`]);
    assert.equal(code, 0, stderr);
  });
});

describe('something else in place of a GGUF or a graph', () => {
  const contents: readonly [what: string, content: string | Uint8Array, hint: RegExp][] = [
    ['a web page', PAGE, PAGE_HINT],
    ['a web page of another spelling', '\ufeff<HTML lang="en">', PAGE_HINT],
    ['nothing', '', /the file is empty$/m],
    ['a zip archive', 'PK\x03\x04\x14\0\0\0\x08\0', /this is a zip archive/],
    ['a gzip archive', gzipSync('GGUF'), /this is a gzip archive, unpack it first$/m],
    [
      'a pointer of git-xet',
      `# xet version 0\nfilesize = 1\nhash = '${'0'.repeat(64)}'\n`,
      /git-xet pointer/,
    ],
  ];
  for (const name of ['m.gguf', 'm.onnx']) {
    for (const [what, content, hint] of contents) {
      it(`${what} as ${name}`, async (t) => {
        const file = path.join(scratch(t, false), name);
        writeFileSync(file, content);
        await assertNamed(['inspect', file], hint);
      });
    }
  }
});
