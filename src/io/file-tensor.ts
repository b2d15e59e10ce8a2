import type { SchemeName } from '../core/scheme.ts';
import { type Origin, type RowRange, rowBytes, type Tensor } from '../core/tensor.ts';
import type { InputFile } from './input-file.ts';

/** A tensor as it lies in a file, row after row. The importer has checked that it lies inside the file. */
export class FileTensor implements Tensor {
  readonly name: string;
  readonly scheme: SchemeName;
  readonly shape: readonly number[];
  readonly origin: Origin;
  readonly rowStep = 1;
  readonly #file: InputFile;

  constructor(file: InputFile, layout: Pick<Tensor, 'name' | 'scheme' | 'shape' | 'origin'>) {
    this.#file = file;
    this.name = layout.name;
    this.scheme = layout.scheme;
    this.shape = layout.shape;
    this.origin = layout.origin;
  }

  async readRows(range: RowRange, into: Uint8Array, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    await this.#file.readInto(into, this.origin.offset + range.first * rowBytes(this));
  }
}
