import assert from 'node:assert/strict';
import test from 'node:test';
import type { Answer } from '../../src/hub/http/answer.ts';
import { piecesOf, wholeBody } from '../../src/hub/http/body.ts';
import { pressFailure } from '../support/press-failure.ts';

test('an aborted answer ends the loop over its body, even where the body does not tell', async () => {
  const connection = new AbortController();
  let pulls = 0;
  // As Node's fetch leaves a body whose answer has been collected: what was asked for never comes, and no
  // error either.
  const body = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        if (pulls++ === 0) controller.enqueue(new Uint8Array([1]));
        return pulls === 1 ? undefined : new Promise(() => {});
      },
    },
    { highWaterMark: 0 },
  );
  const answer = {
    response: new Response(body),
    etags: [null, null] as const,
    signal: connection.signal,
    abort: (reason: unknown) => connection.abort(reason),
  };
  const pieces = piecesOf(answer, 60_000);
  assert.deepEqual(await pieces.next(), { done: false, value: new Uint8Array([1]) });
  const next = pieces.next();
  connection.abort(new Error('the disk is full'));
  await assert.rejects(next, { message: 'the disk is full' });
});

test('a body may have as many bytes as the limit, and not one more', async () => {
  const bodyOf = (bytes: number) => {
    const connection = new AbortController();
    const { signal } = connection;
    const abort = (reason: unknown) => connection.abort(reason);
    const response = new Response(new Uint8Array(bytes));
    const answer: Answer = { response, etags: [null, null], signal, abort };
    return wholeBody(answer, 'x.json', { timeout: 60_000, limit: 10 });
  };
  assert.equal((await bodyOf(10)).length, 10);
  await assert.rejects(bodyOf(11), pressFailure('network', /^x\.json: answers with more than 10 bytes$/));
});
