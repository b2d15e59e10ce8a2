import type { PlannedBytes, PlannedFile, PlannedTensor } from '../../src/core/export-plan.ts';
import type { ExternalData } from '../../src/onnx/graph.ts';

/** Widest vector loads of engines. */
const ALIGNMENT = 64;
/** A page: what is at least one long can be mapped into memory by itself. */
const PAGE = 4096;
const PAGED_BYTES = 64 << 10;

interface OpenFile {
  readonly name: string;
  bytes: number;
  readonly head: PlannedBytes[];
  readonly tensors: PlannedTensor[];
}

/**
 * The files of weights beside a graph: `<graph>_data`, then `<graph>_data_1`, as transformers.js asks for
 * them. Each thing is placed behind those before it.
 */
export class DataFiles {
  readonly #graph: string;
  readonly #limit: number;
  readonly #files: OpenFile[] = [];

  /** `limit` is the greatest size of a file in bytes; what is placed at once may exceed it alone. */
  constructor(graph: string, limit = Number.POSITIVE_INFINITY) {
    this.#graph = graph;
    this.#limit = limit;
  }

  /** Reserves places for parts of these sizes in one file, and lets `add` put there what it likes. */
  place(sizes: readonly number[], add: (file: OpenFile, places: readonly ExternalData[]) => void): void {
    let file = this.#files.at(-1) ?? this.#open();
    let places = placesIn(file, sizes);
    if (file.bytes > 0 && endOf(places) > this.#limit) {
      file = this.#open();
      places = placesIn(file, sizes);
    }
    file.bytes = endOf(places);
    add(file, places);
  }

  /** The files as planned, in `folder`. */
  planned(folder: string): PlannedFile[] {
    return this.#files.map(({ name, ...file }) => ({ name: `${folder}/${name}`, ...file }));
  }

  #open(): OpenFile {
    const count = this.#files.length;
    const name = `${this.#graph}_data${count === 0 ? '' : `_${count}`}`;
    const file: OpenFile = { name, bytes: 0, head: [], tensors: [] };
    this.#files.push(file);
    return file;
  }
}

function placesIn(file: OpenFile, sizes: readonly number[]): ExternalData[] {
  let end = file.bytes;
  return sizes.map((length) => {
    const alignment = length >= PAGED_BYTES ? PAGE : ALIGNMENT;
    const offset = Math.ceil(end / alignment) * alignment;
    end = offset + length;
    return { location: file.name, offset, length };
  });
}

function endOf(places: readonly ExternalData[]): number {
  const { offset, length } = places.at(-1)!;
  return offset + length;
}
