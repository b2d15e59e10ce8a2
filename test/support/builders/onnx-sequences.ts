import type { OnnxArtifact } from '../../../formats/onnx/import/open.ts';
import {
  createSession,
  type InferenceSession,
  type OpenOptions,
  type Provider,
  Tensor,
} from '../oracles/onnxruntime.ts';

/** A session of ONNX Runtime over an artifact's graph, run on batches of sequences with or without a past. */
export class OnnxSequences {
  readonly #session: InferenceSession;

  private constructor(session: InferenceSession) {
    this.#session = session;
  }

  static async open(
    { graphPath }: Pick<OnnxArtifact, 'graphPath'>,
    { provider = 'cpu', ...options }: OpenOptions & { readonly provider?: Provider } = {},
  ): Promise<OnnxSequences> {
    return new OnnxSequences(await createSession(graphPath!, provider, options));
  }

  /** Logits after every token, all tokens at once. */
  async prefill(ids: readonly number[]): Promise<Float32Array[]> {
    return (await this.batch([ids]))[0]!;
  }

  /** Logits after every token, one token after the other through the cache. */
  async decode(ids: readonly number[]): Promise<Float32Array[]> {
    const rows: Float32Array[] = [];
    let past = this.#emptyCaches(1);
    for (const [position, id] of ids.entries()) {
      const outputs = await this.#run([[id]], [Array<number>(position + 1).fill(1)], [[position]], past, 1);
      rows.push(...rowsOf(outputs.logits!));
      past = this.#presentOf(outputs);
    }
    return rows;
  }

  /** Logits of the tokens of each sequence; the shorter ones are padded on the left, as generation does. */
  async batch(sequences: readonly (readonly number[])[]): Promise<Float32Array[][]> {
    const length = Math.max(...sequences.map((ids) => ids.length));
    const padded = sequences.map((ids) => [...Array<number>(length - ids.length).fill(0), ...ids]);
    const masks = sequences.map((ids) => padded[0]!.map((_, i) => (i < length - ids.length ? 0 : 1)));
    // transformers: the sum of the mask so far less one, 1 where it is 0.
    const positions = sequences.map((ids) =>
      padded[0]!.map((_, i) => (i < length - ids.length ? 1 : i - (length - ids.length))),
    );
    const outputs = await this.#run(padded, masks, positions, this.#emptyCaches(sequences.length), 0);
    const rows = rowsOf(outputs.logits!);
    return sequences.map((ids, index) =>
      rows.slice(index * length + length - ids.length, (index + 1) * length),
    );
  }

  async close(): Promise<void> {
    await this.#session.release();
  }

  #run(
    ids: readonly (readonly number[])[],
    masks: readonly (readonly number[])[],
    positions: readonly (readonly number[])[],
    past: Record<string, Tensor>,
    keep: number,
  ) {
    return this.#session.run({
      input_ids: integers(ids),
      attention_mask: integers(masks),
      position_ids: integers(positions),
      num_logits_to_keep: new Tensor('int64', BigInt64Array.of(BigInt(keep)), []),
      ...past,
    });
  }

  #emptyCaches(batch: number): Record<string, Tensor> {
    const caches = this.#session.inputMetadata.filter(({ name }) => name.startsWith('past_key_values.'));
    return Object.fromEntries(
      caches.map((info) => {
        if (!info.isTensor) throw new Error(`${info.name} is not a tensor`);
        const shape = info.shape.map((size) =>
          typeof size === 'number' ? size : size === 'batch_size' ? batch : 0,
        );
        const isHalf = info.type === 'float16';
        return [
          info.name,
          isHalf
            ? new Tensor('float16', new Uint16Array(0), shape)
            : new Tensor('float32', new Float32Array(0), shape),
        ];
      }),
    );
  }

  #presentOf(outputs: Readonly<Record<string, Tensor>>): Record<string, Tensor> {
    const present = Object.entries(outputs).filter(([name]) => name.startsWith('present.'));
    return Object.fromEntries(
      present.map(([name, value]) => [name.replace('present.', 'past_key_values.'), value]),
    );
  }
}

function integers(rows: readonly (readonly number[])[]): Tensor {
  return new Tensor('int64', BigInt64Array.from(rows.flat(), BigInt), [rows.length, rows[0]!.length]);
}

function rowsOf(logits: Tensor): Float32Array[] {
  const values = logits.data as Float32Array;
  const width = logits.dims.at(-1)!;
  return Array.from({ length: values.length / width }, (_, row) =>
    values.slice(row * width, (row + 1) * width),
  );
}
