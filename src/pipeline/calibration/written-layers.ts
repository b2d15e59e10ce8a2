import { createHash } from 'node:crypto';
import type { StatisticSource } from '../../../calibration/statistics.ts';
import type { PlannedStatistic } from '../../../formats/imatrix/writer.ts';
import { PressError } from '../../core/errors.ts';
import { sha256 } from '../../core/json/hashes.ts';
import { parseJson } from '../../core/json/json.ts';
import { integer, number, object, type Read } from '../../core/json/schema.ts';
import { elementCount } from '../../core/tensor.ts';
import type { StagedOutput } from '../../io/staging/staged-output.ts';

/** Stored bytes are read in pieces. */
const PIECE_BYTES = 4 << 20;

/** A line of the journal: a layer whose statistics are in their places. */
const writtenLayer = object({
  layer: integer(0),
  /** Of what its places hold, in their order. */
  content: sha256,
  /** The part of the neurons of its FFN that a token sets off, on average. */
  firingRate: number,
  /** Neurons that no token set off. */
  silent: integer(0),
});

export type WrittenLayer = Read<typeof writtenLayer>;

/** The layers whose statistics lie in the staged file, from the first on; in its journal if work is resumed. */
export class WrittenLayers {
  readonly #output: StagedOutput;
  #layers: WrittenLayer[];

  private constructor(output: StagedOutput, layers: WrittenLayer[]) {
    this.#output = output;
    this.#layers = layers;
  }

  /**
   * Reads what the journal lists: a line may reach the disk before the bytes that it is about. Throws local-io
   * where that cannot be read.
   */
  static async open(
    output: StagedOutput,
    file: string,
    tensors: readonly PlannedStatistic<StatisticSource>[],
    layers: number,
  ): Promise<WrittenLayers> {
    const lines = linesOf(output.journal?.found ?? []);
    const found: WrittenLayer[] = [];
    for (let layer = 0; layer < layers; layer++) {
      const line = lines.get(layer);
      const own = tensors.filter(({ slot }) => slot?.layer === layer);
      if (line === undefined || (await contentOf(output, file, own)) !== line.content) break;
      found.push(line);
    }
    return new WrittenLayers(output, found);
  }

  get layers(): readonly WrittenLayer[] {
    return this.#layers;
  }

  get count(): number {
    return this.#layers.length;
  }

  /** Forgets all but the first `count` layers. */
  keep(count: number): void {
    this.#layers = this.#layers.slice(0, count);
  }

  async add(layer: WrittenLayer): Promise<void> {
    this.#layers.push(layer);
    await this.#output.journal?.append(JSON.stringify(layer));
  }
}

/** By layer; of two lines of one, the later. What another build has written in another form does not count. */
function linesOf(texts: readonly string[]): ReadonlyMap<number, WrittenLayer> {
  const lines = new Map<number, WrittenLayer>();
  for (const text of texts) {
    try {
      const line = writtenLayer(parseJson(text, 'journal'));
      lines.set(line.layer, line);
    } catch (error) {
      if (!(error instanceof PressError)) throw error;
    }
  }
  return lines;
}

async function contentOf(
  output: StagedOutput,
  name: string,
  tensors: readonly PlannedStatistic<StatisticSource>[],
): Promise<string> {
  const hash = createHash('sha256');
  const file = await output.open(name);
  try {
    for (const tensor of tensors) {
      const bytes = 4 * elementCount(tensor);
      for (let at = 0; at < bytes; at += PIECE_BYTES) {
        const piece = new Uint8Array(Math.min(PIECE_BYTES, bytes - at));
        await file.readInto(piece, tensor.offset + at);
        hash.update(piece);
      }
    }
  } finally {
    await file.close();
  }
  return hash.digest('hex');
}
