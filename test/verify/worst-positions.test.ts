import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { openHfFolder } from '../../formats/hf/import.ts';
import { closeModel } from '../../src/core/model.ts';
import { Tokenizer } from '../../src/tokenizer/tokenizer.ts';
import type { RowMetrics } from '../../src/verify/metrics.ts';
import { worstPositions } from '../../src/verify/worst-positions.ts';
import { fixture } from '../support/paths.ts';

const model = await openHfFolder(fixture('plm-tiny'));
await closeModel(model);
const tokenizer = new Tokenizer(model.tokenizer);

function rowsOf(klds: readonly number[], id = 65): RowMetrics[] {
  return klds.map((kld, index) => ({
    kld,
    agrees: true,
    maxAbsError: 0,
    guess: { reference: { id, probability: 0.5 }, artifact: { id, probability: 0.25 } },
    nll: index === klds.length - 1 ? undefined : { reference: Math.log(2), artifact: Math.log(4) },
  }));
}

describe('the worst positions', () => {
  const ids = tokenizer.encode('The cat sat on the mat.');

  it('come by KLD, infinite ones first, equal ones as in the text', () => {
    const klds = [1, Infinity, 3, 3, Infinity, 2, 0, 0].slice(0, ids.length);
    const worst = worstPositions(rowsOf(klds), ids, 256, tokenizer, 5);
    assert.deepEqual(
      worst.map(({ index }) => index),
      [1, 4, 2, 3, 5],
    );
  });

  it('tell window, text so far, the next token and what both made of it', () => {
    const klds = ids.map((_, index) => index);
    const [last, before] = worstPositions(rowsOf(klds), ids, 3, tokenizer, 2);
    const index = ids.length - 2;
    assert.deepEqual(
      [before!.index, before!.window, before!.position],
      [index, Math.floor(index / 3), index % 3],
    );
    // Nothing of the windows before: no model has seen it.
    const start = Math.floor(index / 3) * 3;
    assert.equal(before!.text, tokenizer.decode(ids.slice(start, index + 1)));
    assert.equal(before!.next, tokenizer.decode(ids.slice(index + 1)));
    const token = tokenizer.decode([65]);
    assert.deepEqual(before!.reference, { token, probability: 0.5, ofNext: 0.5 });
    assert.deepEqual(before!.artifact, { token, probability: 0.25, ofNext: 0.25 });
    assert.ok(!('next' in last!) && !('ofNext' in last!.artifact));
  });

  it('show tokens that are no whole characters by their bytes', () => {
    const partial = Array.from({ length: 2048 }, (_, id) => id).find(
      (id) => tokenizer.decode([id]) === '\ufffd',
    )!;
    const [position] = worstPositions(rowsOf([1, 0], partial), ids.slice(0, 2), 256, tokenizer, 1);
    assert.match(position!.reference.token, /^<0x[0-9A-F]{2}>$/);
  });
});
