import { invalidInput, type PressError, unsupported } from '../../src/core/errors.ts';
import type { SchemeName } from '../../src/core/scheme.ts';
import { foreignContent } from '../../src/core/text/foreign-content.ts';
import type { InputFile } from '../../src/io/input-file.ts';
import { type Dtype, elementBytes, schemeOfDtype } from './dtype.ts';
import { parsePickle } from './pickle.ts';
import { Dict, TensorView } from './values.ts';
import { readZip, type ZipEntry } from './zip.ts';

/** A tensor takes about 200 bytes and a PLM of 512 layers has about 6,200: ten times that. */
const MAX_PICKLE_BYTES = 16_000_000;
/** `version` and `byteorder` are a number and a word. */
const MAX_NOTE_BYTES = 16;
/**
 * Names of checkpoints stay below 100 characters; a longer one would push everything else out of messages.
 */
const MAX_NAME_LENGTH = 256;

/** A tensor of a state dict, in the order of its elements. */
export interface StateTensor {
  readonly name: string;
  readonly dtype: Dtype;
  /** The scheme that holds the same bytes; undefined for dtypes in which no weights are read. */
  readonly scheme: SchemeName | undefined;
  readonly shape: readonly number[];
  /** Byte offset in the file. */
  readonly offset: number;
}

/**
 * Reads and checks the state dict of a file of `torch.save`; no weight is read and no code is run. Throws
 * `unsupported` for files before PyTorch 1.6 and for tensors whose elements do not lie in order;
 * `invalid-input` for other files. Tensors may share bytes, as tied weights do.
 */
export async function readStateDict(file: InputFile): Promise<readonly StateTensor[]> {
  await assertArchive(file);
  const entries = await readZip(file);
  const root = rootOf(entries, file.name);
  await assertNote(file, entries.get(`${root}/byteorder`), /^little$/, 'little');
  await assertNote(file, entries.get(`${root}/version`), /^\d+\n?$/, 'a number');
  const pickle = entries.get(`${root}/data.pkl`)!;
  if (pickle.bytes > MAX_PICKLE_BYTES) {
    const expected = `at most ${MAX_PICKLE_BYTES} bytes`;
    throw invalidInput({
      file: file.name,
      field: 'data.pkl',
      what: 'too large',
      got: pickle.bytes,
      expected,
    });
  }
  const state = parsePickle(await readEntry(file, pickle), file.name, 'data.pkl');
  if (!(state instanceof Dict))
    throw invalidInput({ file: file.name, field: 'data.pkl', what: 'not a state dict' });
  return [...state.members].map(([name, value]) => {
    if (name.length > MAX_NAME_LENGTH || name === '' || /\p{Cc}/u.test(name)) {
      throw invalidInput({ file: file.name, field: 'data.pkl', what: 'not a name of a tensor', got: name });
    }
    const field = `tensor ${JSON.stringify(name)}`;
    if (!(value instanceof TensorView)) {
      const hint =
        value instanceof Dict ? ' but a dictionary, as training states have; save the model alone' : '';
      throw invalidInput({ file: file.name, field, what: `not a tensor${hint}` });
    }
    const place = (key: string) => entries.get(`${root}/data/${key}`);
    return { name, ...locate(value, place, { file: file.name, field }) };
  });
}

const ZIP_START = 'PK\x03\x04';
/** Every version before 1.6 wrote its magic number as a pickle of protocol 2. */
const LEGACY_START = '\x80\x02';

async function assertArchive(file: InputFile): Promise<void> {
  const start = new Uint8Array(Math.min(64, file.bytes));
  await file.readInto(start, 0);
  const text = Buffer.from(start).toString('latin1');
  if (text.startsWith(ZIP_START)) return;
  if (text.startsWith(LEGACY_START)) {
    throw unsupported({
      file: file.name,
      what: 'saved before PyTorch 1.6: load and save it with a newer version',
    });
  }
  const what = foreignContent(start) ?? 'not a zip archive, as torch.save writes';
  throw invalidInput({ file: file.name, what });
}

/** The one folder that holds all entries, data.pkl among them; named after the file that was saved. */
function rootOf(entries: ReadonlyMap<string, ZipEntry>, file: string): string {
  const roots = new Set([...entries.keys()].map((name) => name.slice(0, name.indexOf('/'))));
  const [root] = roots;
  if (roots.size !== 1 || !entries.has(`${root}/data.pkl`)) {
    throw invalidInput({ file, field: 'zip', what: 'not one folder with data.pkl, as torch.save writes' });
  }
  return root!;
}

async function assertNote(file: InputFile, entry: ZipEntry | undefined, allowed: RegExp, expected: string) {
  if (entry === undefined) return;
  const fits = entry.bytes <= MAX_NOTE_BYTES;
  const text = fits ? Buffer.from(await readEntry(file, entry)).toString('latin1') : '';
  if (!allowed.test(text)) {
    const got = fits ? { got: text } : {};
    throw invalidInput({ file: file.name, field: entry.name, what: 'wrong value', ...got, expected });
  }
}

async function readEntry(file: InputFile, entry: ZipEntry): Promise<Uint8Array> {
  const content = new Uint8Array(entry.bytes);
  await file.readInto(content, entry.offset);
  return content;
}

interface Place {
  readonly file: string;
  readonly field: string;
}

/** Where the elements of a tensor lie in the file, which its storage's entry holds whole. */
function locate(
  { storage, offset, shape, strides }: TensorView,
  entryOf: (key: string) => ZipEntry | undefined,
  { file, field }: Place,
): Omit<StateTensor, 'name'> {
  const fault = (what: string, got: unknown, expected: string): PressError =>
    invalidInput({ file, field, what, got, expected });
  const { dtype } = storage;
  const bytes = elementBytes(dtype);
  const entry = entryOf(storage.key);
  if (entry === undefined) throw fault('storage missing', storage.key, 'an entry of the archive');
  if (storage.elements * bytes !== entry.bytes) {
    throw fault(
      `wrong size of storage ${storage.key}`,
      entry.bytes,
      `${storage.elements} elements of ${bytes} bytes`,
    );
  }
  const elements = shape.reduce((product, n) => product * n, 1);
  if (shape.some((n) => n < 0) || !Number.isSafeInteger(elements * bytes)) {
    throw fault('wrong shape', shape, 'fewer than 2^53 bytes');
  }
  if (offset < 0 || offset + elements > storage.elements) {
    throw fault('ends outside its storage', offset + elements, `at most ${storage.elements} elements`);
  }
  if (strides.some((stride) => stride < 0))
    throw fault('negative strides', strides, 'rows one after the other');
  if (!isContiguous(shape, strides)) {
    const what = 'elements not in order, call contiguous() before saving';
    throw unsupported({ file, field: `${field}: strides`, what, got: strides });
  }
  return { dtype, scheme: schemeOfDtype(dtype), shape, offset: entry.offset + offset * bytes };
}

/** As PyTorch has it: strides of dimensions of one element do not matter. */
function isContiguous(shape: readonly number[], strides: readonly number[]): boolean {
  let step = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    if (shape[i] === 1) continue;
    if (strides[i] !== step) return false;
    step *= shape[i]!;
  }
  return true;
}
