import assert from 'node:assert/strict';
import test from 'node:test';
import { piecesOf } from '../../src/hub/body.ts';

test('an aborted answer ends the loop over its body, even where the body does not tell', async () => {
  const connection = new AbortController();
  let pulls = 0;
  // As Node's fetch leaves a body whose answer has been collected: what was asked for never comes, and no error either.
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
