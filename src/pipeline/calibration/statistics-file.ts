import { createHash } from 'node:crypto';
import type { StatisticSource } from '../../../calibration/statistics.ts';
import { encodeValues, type ImatrixPlan, type PlannedStatistic } from '../../../formats/imatrix/writer.ts';
import type { StagedOutput } from '../../io/staging/staged-output.ts';
import type { HeadStatistics, LayerStatistics } from '../../runtime/layer-sums.ts';

/** Values that are encoded at once. */
const ENCODED_VALUES = 1 << 18;

type Values = Float64Array | Uint16Array | readonly number[];

/** A staged statistics file, which is written layer by layer. */
export class StatisticsFile {
  readonly #output: StagedOutput;
  readonly #name: string;
  readonly #plan: ImatrixPlan<StatisticSource>;

  constructor(output: StagedOutput, name: string, plan: ImatrixPlan<StatisticSource>) {
    this.#output = output;
    this.#name = name;
    this.#plan = plan;
  }

  /** Writes what is known before the text is read; `tokens`: each as often as its text weighs. */
  async begin(tokens: number): Promise<void> {
    await this.#output.write(this.#name, this.#plan.header, 0);
    for (const tensor of this.#plan.tensors) {
      if (tensor.slot === undefined) await this.#write(tensor, [tokens]);
    }
  }

  /** Returns the SHA-256 of what has been written, in hex. */
  async writeLayer(layer: number, sums: LayerStatistics): Promise<string> {
    const hash = createHash('sha256');
    for (const tensor of this.#plan.tensors) {
      const { slot } = tensor;
      if (slot === undefined || slot.layer !== layer) continue;
      await this.#write(tensor, slot.values(sums), (bytes) => hash.update(bytes));
    }
    return hash.digest('hex');
  }

  async writeHead(sums: HeadStatistics): Promise<void> {
    for (const tensor of this.#plan.tensors) {
      const { slot } = tensor;
      if (slot !== undefined && slot.layer === undefined) await this.#write(tensor, slot.values(sums));
    }
  }

  /** Values are encoded piece by piece: second moments are large. */
  async #write(
    { name, offset }: PlannedStatistic<StatisticSource>,
    values: Values,
    onBytes: (bytes: Uint8Array) => void = () => {},
  ): Promise<void> {
    for (let first = 0; first < values.length; first += ENCODED_VALUES) {
      const end = first + ENCODED_VALUES;
      const piece = 'subarray' in values ? values.subarray(first, end) : values.slice(first, end);
      const bytes = encodeValues(name, piece, first);
      onBytes(bytes);
      await this.#output.write(this.#name, bytes, offset + 4 * first);
    }
  }
}
