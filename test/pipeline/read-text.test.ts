import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { parseHfTokenizer } from '../../formats/hf/tokenizer.ts';
import { encodeTexts, readText, textPieces } from '../../src/pipeline/sources/read-text.ts';
import { Tokenizer } from '../../src/tokenizer/tokenizer.ts';
import { TOKEN_IDS, TOKENIZER_FILES } from '../support/builders/tokenizer-files.ts';
import { guardTime } from '../support/drivers/guard-time.ts';
import { assertEndsAtTurn } from '../support/ends-at-turn.ts';
import { assertRejects, type Rejection } from '../support/rejects.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

function written(t: TestContext, content: string | Uint8Array): string {
  const file = path.join(temporaryFolder(t), 'text.txt');
  writeFileSync(file, content);
  return file;
}

describe('a text is refused', () => {
  const utf16 = Buffer.from('\ufeffCall me Ishmael.', 'utf16le');
  const REFUSALS: readonly (readonly [what: string, content: Uint8Array, expected: Rejection])[] = [
    ['in UTF-16, as Windows saves it', utf16, { message: /text\.txt: not valid UTF-8$/ }],
    ['in UTF-16 of the other order', Buffer.from(utf16).swap16(), { message: /not valid UTF-8$/ }],
    ['in Latin-1', Buffer.from('caf\u00e9', 'latin1'), { message: /not valid UTF-8$/ }],
    ['without a character', Buffer.alloc(0), { message: /text\.txt: empty$/ }],
  ];
  for (const [what, content, expected] of REFUSALS) {
    it(what, async (t) => {
      const file = written(t, content);
      await assertRejects(path.dirname(file), () => readText(file), expected);
    });
  }

  it('that is not there', async (t) => {
    const folder = temporaryFolder(t);
    const expected: Rejection = { failure: 'local-io', message: /no-such\.txt: no such file/ };
    await assertRejects(folder, () => readText(path.join(folder, 'no-such.txt')), expected);
  });
});

describe('a text is read as it is', () => {
  const tokenizer = new Tokenizer(parseHfTokenizer(TOKENIZER_FILES, TOKEN_IDS).spec);
  const TEXTS: Readonly<Record<string, string>> = {
    'with line ends of Windows': 'one\r\ntwo\r\n\r\nthree\r\n'.repeat(2000),
    'with a byte order mark': '\ufeffCall me Ishmael.',
    'of 100,000 spaces': ' '.repeat(100_000),
    'of one word': 'a'.repeat(100_000),
    'of characters of four bytes': '𝔘'.repeat(20_000),
  };
  for (const [what, text] of Object.entries(TEXTS)) {
    it(what, async (t) => {
      assert.equal(await readText(written(t, text)), text);
      const pieces = [...textPieces(text, 8192)];
      assert.equal(pieces.join(''), text);
      assert.ok(pieces.every((piece) => piece.length <= 8192 && !/\p{Surrogate}/u.test(piece)));
      const assertLinear = guardTime();
      assert.equal(tokenizer.decode(await encodeTexts(tokenizer, [text], Number.POSITIVE_INFINITY)), text);
      assertLinear();
    });
  }

  it('and its encoding ends between two pieces', async (t) => {
    const text = 'Call me Ishmael.\n'.repeat(1000);
    await assertEndsAtTurn(t, (signal) => encodeTexts(tokenizer, [text], Number.POSITIVE_INFINITY, signal));
  });
});
