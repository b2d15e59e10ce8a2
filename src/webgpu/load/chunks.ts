/** Bytes that a stream is asked for at a time. */
const CHUNK = 2 ** 20;

/**
 * Responses that are being read. Chromium 156 collects one that only its reader leads to, and then a read
 * into given memory never ends.
 */
const reading = new Set<Response>();

/**
 * What comes in a body, each chunk until the next is asked for. Where streams fill memory that they are given
 * all chunks share theirs: others that are dropped stay until the garbage is collected, hundreds of MB of
 * them. Ends the stream with the loop.
 */
export async function* chunksOf(response: Response): AsyncGenerator<Uint8Array<ArrayBuffer>, void> {
  const reader = readerOf(response.body!);
  reading.add(response);
  try {
    for (let room = new Uint8Array(CHUNK); ; ) {
      const { done, value } = await reader.read(room);
      if (done) return;
      yield value;
      room = new Uint8Array(value.buffer);
    }
  } finally {
    reading.delete(response);
    await reader.cancel();
  }
}

/** Some browsers have no streams that fill memory. */
function readerOf(body: ReadableStream<Uint8Array<ArrayBuffer>>): Pick<ReadableStreamBYOBReader, 'cancel'> & {
  read(room: Uint8Array<ArrayBuffer>): Promise<ReadableStreamReadResult<Uint8Array<ArrayBuffer>>>;
} {
  try {
    return body.getReader({ mode: 'byob' });
  } catch {
    return body.getReader();
  }
}
