/** A blob that reports how much of it has been sent. When it is sent again, it counts from 0. */
export class SentBlob extends Blob {
  readonly #blob: Blob;
  readonly #onSent: (bytes: number) => void;

  constructor(blob: Blob, onSent: (bytes: number) => void) {
    super();
    this.#blob = blob;
    this.#onSent = onSent;
  }

  override get size(): number {
    return this.#blob.size;
  }

  override stream(): ReturnType<Blob['stream']> {
    let sent = 0;
    const counter = new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
      transform: (piece, controller) => {
        sent += piece.length;
        this.#onSent(sent);
        controller.enqueue(piece);
      },
    });
    return this.#blob.stream().pipeThrough(counter) as ReturnType<Blob['stream']>;
  }
}
