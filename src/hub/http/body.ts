import type { Answer } from './answer.ts';
import { hubFault } from './fault.ts';

/**
 * Bytes that a connection must bring to count as one that helps: a server that drips would be tried for ever.
 */
export const LEAST_PROGRESS = 64 << 10;

/** The fewest bytes per timeout that a connection must bring. A slower one might never end. */
const LEAST_BYTES = 1024;

/**
 * The pieces of a body as they come. Throws where waiting for a timeout (in milliseconds) brings next to
 * nothing; the connection ends when the loop does.
 */
export async function* piecesOf(
  { response, signal, abort }: Answer,
  timeout: number,
): AsyncGenerator<Uint8Array> {
  if (response.body === null) return;
  // Node's streams can be iterated; its types of the web's do not say so.
  const pieces = (response.body as unknown as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]();
  // The body of an answer that is aborted between two pieces may never tell: Node 20 forgets answers that
  // nobody holds.
  const aborted = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
  aborted.catch(() => undefined);
  let [waited, came] = [0, 0];
  try {
    for (;;) {
      signal.throwIfAborted();
      const stalled = () => abort(new Error(`next to nothing came for ${timeout / 1000} s`));
      const start = performance.now();
      const timer = setTimeout(stalled, timeout - waited);
      const next = await Promise.race([pieces.next(), aborted]).finally(() => clearTimeout(timer));
      if (next.done) return;
      waited += performance.now() - start;
      came += next.value.length;
      if (came >= LEAST_BYTES) [waited, came] = [0, 0];
      yield next.value;
    }
  } finally {
    abort(new Error('no longer needed'));
  }
}

/** All of a body of at most `limit` bytes. */
export async function wholeBody(
  answer: Answer,
  file: string,
  { timeout, limit }: { readonly timeout: number; readonly limit: number },
): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of piecesOf(answer, timeout)) {
    bytes += piece.length;
    if (bytes > limit) throw hubFault(file, `answers with more than ${limit} bytes`);
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}
