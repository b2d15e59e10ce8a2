import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import fc from 'fast-check';
import { readStateDict, type StateTensor } from '../../../formats/pytorch/state-dict.ts';
import { PressError } from '../../../src/core/errors.ts';
import { InputFile } from '../../../src/io/input-file.ts';
import { writeTinyConfig } from '../../support/builders/tiny-checkpoint.ts';
import {
  bytes,
  join,
  pickle as p,
  stateDictPickle,
  type TorchArchive,
  type TorchTensor,
  tensorOpcodes,
  torchArchive,
  torchParts,
} from '../../support/builders/torch-file.ts';
import { assertRejects, type Rejection } from '../../support/rejects.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const NAME = 'pytorch_model.bin';

async function readFile(folder: string): Promise<readonly StateTensor[]> {
  const file = await InputFile.open(path.join(folder, NAME), NAME);
  try {
    return await readStateDict(file);
  } finally {
    await file.close();
  }
}

const TENSOR: TorchTensor = { name: 'x', dtype: 'Float', shape: [2, 3] };
const STORAGES = new Map([['0', Buffer.alloc(24)]]);

/** An archive of this pickle with one storage of 24 bytes. */
const around = (pickle: Uint8Array) => torchArchive(torchParts(pickle, STORAGES));
/** Protocol 2, opcodes, STOP. */
const whole = (...opcodes: readonly Uint8Array[]) => join(p.head(2), ...opcodes, p.stop);
/** A dict that holds what the opcodes push. */
const inDict = (...value: readonly Uint8Array[]) => whole(p.emptyDict, p.string('x'), ...value, p.setItem);
const dictOf = (tensor: Partial<TorchTensor>) => stateDictPickle([{ ...TENSOR, ...tensor }]);
const call = (module: string, name: string, ...args: readonly Uint8Array[]) =>
  inDict(p.global(module, name), p.tupleOf(...args), p.reduce);
const rebuild = (...args: readonly Uint8Array[]) => call('torch._utils', '_rebuild_tensor_v2', ...args);
const storageId = (...items: readonly Uint8Array[]) => join(p.tupleOf(...items), p.persistentId);
const FLOAT = p.global('torch', 'FloatStorage');
const STORAGE = storageId(p.string('storage'), FLOAT, p.string('0'), p.string('cpu'), p.int(6));
const NO_HOOKS = join(p.global('collections', 'OrderedDict'), p.emptyTuple, p.reduce);
const SHAPE = p.tupleOf(p.int(2), p.int(3));
const STRIDES = p.tupleOf(p.int(3), p.int(1));
const repeat = (count: number, opcodes: Uint8Array) => Buffer.alloc(count * opcodes.length, opcodes);
const long = (...content: readonly number[]) => bytes(0x8a, content.length, ...content);

const at = (what: string) => new RegExp(`^pytorch_model\\.bin: data\\.pkl: byte \\d+: ${what}`);
const tensor = (what: string) => new RegExp(`^pytorch_model\\.bin: tensor "x": ${what}`);
const opcode = (value: string) => at(`opcode 0x${value} does not occur in state dicts$`);

type PickleCase = readonly [name: string, pickle: () => Uint8Array, message: RegExp, failure?: 'unsupported'];

// biome-ignore format: rows of a table
const PICKLES: readonly PickleCase[] = [
  // Code.
  ['os.system', () => call('os', 'system', p.string('true')), at('global not allowed, got "os\\.system"$')],
  ['posix.system by STACK_GLOBAL', () => inDict(p.stackGlobal('posix', 'system'), p.tupleOf(p.string('true')), p.reduce), at('global not allowed, got "posix\\.system"$')],
  ['builtins.eval', () => call('builtins', 'eval', p.string('1')), at('global not allowed, got "builtins\\.eval"$')],
  ['builtins.getattr', () => call('__builtin__', 'getattr', p.global('os', 'system'), p.string('x')), at('global not allowed, got "__builtin__\\.getattr"$')],
  ['attribute of an allowed global', () => inDict(p.stackGlobal('collections', 'OrderedDict.__init__')), at('global not allowed')],
  ['torch.load', () => call('torch', 'load', p.string('x')), at('global not allowed, got "torch\\.load"$')],
  ['torch.storage._load_from_bytes', () => call('torch.storage', '_load_from_bytes', p.string('x')), at('global not allowed')],
  ['torch.EvilStorage', () => inDict(p.global('torch', 'EvilStorage')), at('global not allowed')],
  ['torch.constructorStorage', () => inDict(p.global('torch', 'constructorStorage')), at('global not allowed')],
  ['STACK_GLOBAL of numbers', () => inDict(p.int(1), p.int(2), bytes(0x93)), at('global that is not a string')],
  ['call of a string', () => inDict(p.string('f'), p.emptyTuple, p.reduce), at('call of something that is not a global')],
  ['call of a result', () => inDict(p.global('collections', 'OrderedDict'), p.emptyTuple, p.reduce, p.emptyTuple, p.reduce), at('call of something that is not a global')],
  ['call of a storage class', () => call('torch', 'FloatStorage', p.int(1)), at('call with other arguments than torch\\.save writes, got "torch\\.FloatStorage"')],
  ['call without a tuple', () => inDict(p.global('collections', 'OrderedDict'), p.none, p.reduce), at('call without a tuple of arguments')],
  ['OrderedDict of arguments', () => call('collections', 'OrderedDict', p.emptyDict), at('call with other arguments')],
  ['INST', () => whole(p.mark, bytes(0x69), Buffer.from('os\nsystem\n')), opcode('69')],
  ['OBJ', () => whole(p.mark, p.global('collections', 'OrderedDict'), bytes(0x6f)), opcode('6f')],
  ['NEWOBJ', () => whole(p.global('collections', 'OrderedDict'), p.emptyTuple, bytes(0x81)), opcode('81')],
  ['NEWOBJ_EX', () => whole(p.global('collections', 'OrderedDict'), p.emptyTuple, p.emptyDict, bytes(0x92)), opcode('92')],
  ['EXT1', () => whole(bytes(0x82, 1)), opcode('82')],
  ['EXT4', () => whole(bytes(0x84, 1, 0, 0, 0)), opcode('84')],
  ['PERSID', () => whole(Buffer.from('Pstorage\n')), opcode('50')],
  ['BUILD of another attribute', () => inDict(NO_HOOKS, p.emptyDict, p.string('__class__'), p.none, p.setItem, p.build), at('BUILD of something other than _metadata')],
  ['BUILD of a tensor', () => inDict(tensorOpcodes(TENSOR, '0', 2), p.emptyDict, p.string('_metadata'), p.emptyDict, p.setItem, p.build), at('BUILD of something other than _metadata')],
  ['hooks', () => rebuild(STORAGE, p.int(0), SHAPE, STRIDES, p.no, join(p.emptyDict, p.string('f'), p.none, p.setItem)), at('call with other arguments')],

  // Bombs.
  ['tuples doubled 1,000,000 times', () => inDict(p.emptyTuple, p.put(0), repeat(1_000_000, join(p.get(0), bytes(0x86), p.put(0)))), at('more than 1000000 opcodes')],
  ['tuples doubled 30 times', () => inDict(p.emptyTuple, ...Array.from({ length: 30 }, (_, i) => join(p.put(i), p.get(i), bytes(0x86)))), tensor('not a tensor$')],
  ['tuples 300,000 deep', () => inDict(p.emptyTuple, Buffer.alloc(300_000, 0x85)), tensor('not a tensor$')],
  ['dicts 300,000 deep', () => whole(repeat(300_000, p.emptyDict)), at('stack too deep')],
  ['1,000,000 MARKs', () => whole(Buffer.alloc(1_000_000, 0x28)), at('stack too deep')],
  ['2,000,000 opcodes', () => whole(p.emptyTuple, Buffer.alloc(2_000_000, 0x85)), at('more than 1000000 opcodes$')],
  ['pickle of 17 MB', () => Buffer.alloc(17_000_000), /^pytorch_model\.bin: data\.pkl: too large, got 17000000, expected at most 16000000 bytes$/],
  ['string of 1 MB', () => inDict(p.string('x'.repeat(1_000_000))), at('string too long')],
  ['string of 2^64 - 1 bytes', () => inDict(bytes(0x8d, 255, 255, 255, 255, 255, 255, 255, 255)), at('string too long')],
  ['line of 1 MB', () => inDict(p.global('x'.repeat(1_000_000), 'y')), at('line without an end')],
  ['frame of 2^63 bytes', () => whole(bytes(0x95, 0, 0, 0, 0, 0, 0, 0, 128)), at('cut')],
  ['tuple of 65 items', () => inDict(p.tupleOf(...Array<Buffer>(65).fill(p.none))), at('tuple too long')],
  ['a dict that holds itself', () => whole(p.emptyDict, p.put(0), p.string('x'), p.get(0), p.setItem), tensor('not a tensor but a dictionary')],

  // Form.
  ['no pickle', () => Buffer.from('hello'), at('not a pickle of protocol 2 or later')],
  ['empty pickle', () => bytes(), at('ends without STOP')],
  ['protocol 1', () => bytes(0x80, 1, 0x7d, 0x2e), at('unknown protocol')],
  ['protocol 6', () => bytes(0x80, 6, 0x7d, 0x2e), at('unknown protocol')],
  ['no STOP', () => dictOf({}).subarray(0, -1), at('ends without STOP')],
  ['bytes after STOP', () => join(dictOf({}), bytes(0)), at('bytes after STOP')],
  ['two values', () => whole(p.emptyDict, p.emptyDict), at('STOP with more than one value')],
  ['open MARK', () => whole(p.mark, p.emptyDict), at('STOP with more than one value')],
  ['no value', () => whole(), at('too few values on the stack')],
  ['TUPLE2 across a MARK', () => whole(p.none, p.mark, p.none, bytes(0x86)), at('too few values on the stack')],
  ['SETITEMS without a MARK', () => whole(p.emptyDict, p.setItems), at('no MARK on the stack')],
  ['BINGET of nothing', () => whole(p.get(7)), at('no such entry in the memo, got 7')],
  ['LONG_BINGET of nothing', () => whole(bytes(0x6a, 7, 0, 0, 0)), at('no such entry in the memo, got 7')],
  ['items of a tuple', () => whole(p.emptyTuple, p.string('x'), p.none, p.setItem), at('items for something that is not a dict')],
  ['key without a value', () => whole(p.emptyDict, p.mark, p.string('x'), p.setItems), at('key without a value')],
  ['key a number', () => whole(p.emptyDict, p.int(1), p.none, p.setItem), at('key that is not a string')],
  ['key twice', () => stateDictPickle([TENSOR, TENSOR]), at('key occurs twice, got "x"')],
  ['text not UTF-8', () => inDict(bytes(0x58, 1, 0, 0, 0, 0xff)), at('not valid UTF-8')],
  ['2^63 as a long', () => inDict(long(0, 0, 0, 0, 0, 0, 0, 128, 0)), at('integer too large, got 9')],
  ['-2^63 as a long', () => inDict(long(0, 0, 0, 0, 0, 0, 0, 128)), at('integer too large, got -9223372036854775808')],
  ['long of 255 bytes', () => inDict(long(...Array<number>(255).fill(1))), at('integer too large')],
  ['float', () => inDict(bytes(0x47, 0, 0, 0, 0, 0, 0, 0, 0)), opcode('47')],
  ['not a dict', () => whole(p.string('x')), /^pytorch_model\.bin: data\.pkl: not a state dict$/],
  ['a number for a tensor', () => inDict(p.int(1)), tensor('not a tensor$')],
  ['a checkpoint of training', () => inDict(p.emptyDict), tensor('not a tensor but a dictionary, as training states have; save the model alone$')],
  ['no name', () => dictOf({ name: '' }), /^pytorch_model\.bin: data\.pkl: not a name of a tensor, got ""$/],
  ['name with a line feed', () => dictOf({ name: 'a\nb' }), /not a name of a tensor/],
  ['name of 257 characters', () => dictOf({ name: 'x'.repeat(257) }), /not a name of a tensor/],

  // Storages.
  ['persistent id a string', () => inDict(p.string('0'), p.persistentId), at('persistent id that is not a storage')],
  ['persistent id of four', () => inDict(storageId(p.string('storage'), FLOAT, p.string('0'), p.string('cpu'))), at('persistent id that is not a storage')],
  ['persistent id of six', () => inDict(storageId(p.string('storage'), FLOAT, p.string('0'), p.string('cpu'), p.int(6), p.none)), at('persistent id that is not a storage')],
  ['persistent id of a module', () => inDict(storageId(p.string('module'), FLOAT, p.string('0'), p.string('cpu'), p.int(6))), at('persistent id that is not a storage')],
  ['persistent id without a class', () => inDict(storageId(p.string('storage'), p.string('FloatStorage'), p.string('0'), p.string('cpu'), p.int(6))), at('persistent id that is not a storage')],
  ['key of a storage a number', () => inDict(storageId(p.string('storage'), FLOAT, p.int(0), p.string('cpu'), p.int(6))), at('persistent id that is not a storage')],
  ['-1 elements', () => dictOf({ elements: -1 }), at('wrong size of a storage, got -1')],
  ['2^52 elements', () => dictOf({ elements: 2 ** 52 }), tensor('wrong size of storage 0, got 24, expected 4503599627370496 elements')],
  ['7 elements of 6', () => dictOf({ elements: 7 }), tensor('wrong size of storage 0')],
  ['5 elements of 6', () => dictOf({ elements: 5 }), tensor('wrong size of storage 0')],
  ['storage missing', () => dictOf({ storage: '1' }), tensor('storage missing, got "1"')],
  ['storage that climbs', () => dictOf({ storage: '../version' }), tensor('storage missing, got "\\.\\./version"')],

  // Views.
  ['shape a number', () => rebuild(STORAGE, p.int(0), p.int(6), STRIDES, p.no, NO_HOOKS), at('call with other arguments')],
  ['shape of strings', () => rebuild(STORAGE, p.int(0), p.tupleOf(p.string('2')), p.tupleOf(p.int(1)), p.no, NO_HOOKS), at('call with other arguments')],
  ['strides of another rank', () => rebuild(STORAGE, p.int(0), SHAPE, p.tupleOf(p.int(1)), p.no, NO_HOOKS), at('call with other arguments')],
  ['no storage', () => rebuild(p.none, p.int(0), SHAPE, STRIDES, p.no, NO_HOOKS), at('call with other arguments')],
  ['five arguments', () => rebuild(STORAGE, p.int(0), SHAPE, STRIDES, p.no), at('call with other arguments')],
  ['Parameter of a dict', () => call('torch._utils', '_rebuild_parameter', p.emptyDict, p.no, NO_HOOKS), at('call with other arguments')],
  ['shape negative', () => dictOf({ shape: [-2, -3], elements: 6 }), tensor('wrong shape, got \\[-2,-3\\]')],
  ['shape beyond 2^53', () => dictOf({ shape: [2 ** 30, 2 ** 30], elements: 6 }), tensor('wrong shape')],
  ['shape beyond the storage', () => dictOf({ shape: [2, 4], elements: 6 }), tensor('ends outside its storage, got 8, expected at most 6 elements')],
  ['offset beyond the storage', () => dictOf({ offset: 1 }), tensor('ends outside its storage, got 7')],
  ['offset of 2^53 - 1', () => dictOf({ offset: Number.MAX_SAFE_INTEGER }), tensor('ends outside its storage')],
  ['offset negative', () => dictOf({ offset: -1 }), tensor('ends outside its storage, got 5')],
  ['strides negative', () => dictOf({ strides: [-3, 1] }), tensor('negative strides, got \\[-3,1\\]')],
  ['strides of zero', () => dictOf({ strides: [0, 0] }), tensor('strides: elements not in order.*got \\[0,0\\]'), 'unsupported'],
  ['transposed', () => dictOf({ strides: [1, 2] }), tensor('strides: elements not in order, call contiguous\\(\\) before saving, got \\[1,2\\]$'), 'unsupported'],
];

async function assertRefused(folder: string, content: Uint8Array, expected: Rejection): Promise<void> {
  writeFileSync(path.join(folder, NAME), content);
  await assertRejects(folder, () => readFile(folder), expected);
}

test('refuses pickles', async (t) => {
  for (const [name, pickle, message, failure] of PICKLES) {
    await t.test(name, async (t) => {
      const expected = failure === undefined ? { message } : { message, failure };
      await assertRefused(temporaryFolder(t), around(pickle()).content, expected);
    });
  }
});

/** Damages the bytes of a sound archive. */
type Damage = (archive: TorchArchive & { entry: (name: string) => ReturnType<typeof entryOf> }) => unknown;

const entryOf = (archive: TorchArchive, name: string) => archive.entries.get(`pytorch_model/${name}`)!;
const rename = (from: string, to: string) =>
  torchArchive(
    torchParts(dictOf({}), STORAGES).map(([name, content]) => [name === from ? to : name, content]),
  );
const VERSION = 'pytorch_model/version';
const zip = (what: string) => new RegExp(`^pytorch_model\\.bin: zip ${what}`);

// biome-ignore format: rows of a table
const DAMAGES: readonly (readonly [name: string, damage: Damage, message: RegExp, failure?: 'unsupported'])[] = [
  ['local name differs', ({ content, entry }) => content.write('X', entry('data/0').local + 30), zip('entry ".*/data/0": local header: another name')],
  ['local name longer', ({ content, entry }) => content.writeUInt16LE(300, entry('data/0').local + 26), zip('entry ".*/data/0": local header: another name')],
  ['local extra field longer', ({ content, entry }) => content.writeUInt16LE(60000, entry('data/0').local + 28), zip('entry ".*/data/0": local header: extra field too long')],
  ['local extra field shorter', ({ content, entry }) => content.writeUInt16LE(4, entry('data/0').local + 28), zip('entry ".*/data/0": wrong number of bytes behind')],
  ['local size differs', ({ content, entry }) => content.writeUInt32LE(4, entry('data/0').local + 22), zip('entry ".*/data/0": local header: another size')],
  ['local size only in zip64', ({ content, entry }) => { content.writeUInt32LE(0xffffffff, entry('data/0').local + 22); content.writeUInt32LE(0xffffffff, entry('data/0').local + 18); }, zip('entry ".*/data/0": zip64 field that does not fit')],
  ['local flags differ', ({ content, entry }) => content.writeUInt16LE(8, entry('data/0').local + 6), zip('entry ".*/data/0": local header: other flags')],
  ['local header missing', ({ content, entry }) => content.writeUInt32LE(0, entry('data/0').local), zip('entry ".*/data/0": local header: missing')],
  ['locally compressed', ({ content, entry }) => content.writeUInt16LE(8, entry('data/0').local + 8), zip('entry ".*/data/0": compressed, got 8, expected method 0$')],
  ['compressed', ({ content, entry }) => content.writeUInt16LE(8, entry('data/0').central + 10), zip('entry ".*/data/0": compressed')],
  ['encrypted', ({ content, entry }) => content.writeUInt16LE(0x809, entry('data/0').central + 8), zip('entry ".*/data/0": encrypted$')],
  ['strongly encrypted', ({ content, entry }) => content.writeUInt16LE(0x848, entry('data/0').central + 8), zip('entry ".*/data/0": flags not allowed')],
  ['stored size differs', ({ content, entry }) => content.writeUInt32LE(20, entry('data/0').central + 20), zip('entry ".*/data/0": stored size, got 20, expected 24$')],
  ['larger in the directory', ({ content, entry }) => { content.writeUInt32LE(28, entry('data/0').central + 20); content.writeUInt32LE(28, entry('data/0').central + 24); }, zip('entry ".*/data/0": wrong number of bytes behind the data')],
  ['of 4 GB in the directory', ({ content, entry }) => { content.writeUInt32LE(0xfffffffe, entry('data/0').central + 20); content.writeUInt32LE(0xfffffffe, entry('data/0').central + 24); }, zip('entry ".*/data/0": ends after the start of the central directory')],
  ['size full without zip64', ({ content, entry }) => content.writeUInt32LE(0xffffffff, entry('data/0').central + 20), zip('entry ".*/data/0": zip64 field that does not fit')],
  ['checksum of the descriptor differs', ({ content, entry }) => content.writeUInt32LE(1, entry('data/0').data + 28), zip('entry ".*/data/0": wrong descriptor')],
  ['size of the descriptor differs', ({ content, entry }) => content.writeUInt32LE(1, entry('data/0').data + 32), zip('entry ".*/data/0": wrong descriptor')],
  ['two entries at one offset', ({ content, entry }) => content.writeUInt32LE(entry('byteorder').local, entry('data/0').central + 42), zip('entry ".*": (overlaps the entry before|local header|wrong number|overlaps the entry behind)')],
  ['hole before the first entry', ({ content, entry }) => content.writeUInt32LE(1, entry('data.pkl').central + 42), zip('entry ".*/data\\.pkl": hole before the entry, got 1, expected 0$')],
  ['comment of an entry', ({ content, entry }) => content.writeUInt16LE(1, entry('data/0').central + 32), zip('entry ".*/data/0": has a comment')],
  ['another disk', ({ content, entry }) => content.writeUInt16LE(1, entry('data/0').central + 34), zip('entry ".*/data/0": lies on another disk')],
  ['name longer than the directory', ({ content, entry }) => content.writeUInt16LE(60000, entry('data/0').central + 28), zip('entry 2: ends after the central directory')],
  ['no header in the directory', ({ content, entry }) => content.writeUInt32LE(0, entry('data/0').central), zip('entry 2: no header of an entry')],
  ['comment of the archive', ({ content }) => content.writeUInt16LE(1, content.length - 2), zip('end: no end of a zip archive')],
  ['no end', ({ content }) => content.writeUInt32LE(0, content.length - 22), zip('end: no end of a zip archive')],
  ['disk 1', ({ content }) => content.writeUInt16LE(1, content.length - 18), zip('end: wrong disk number, got 1, expected 0$')],
  ['another count', ({ content }) => { content.writeUInt16LE(4, content.length - 12); content.writeUInt16LE(4, content.length - 14); }, zip('end: wrong count of the zip64 end, got 5, expected 4$')],
  ['one entry fewer', ({ content, end }) => { for (const at of [end + 24, end + 32]) content.writeUInt8(4, at); for (const at of [12, 14]) content.writeUInt16LE(4, content.length - at); }, zip('end: wrong size of the central directory')],
  ['2^53 entries', ({ content, end }) => { for (const at of [end + 24, end + 32]) content.writeBigUInt64LE(2n ** 53n, at); for (const at of [12, 14]) content.writeUInt16LE(0xffff, content.length - at); }, zip('end: too many entries')],
  ['no entry in the directory', ({ content, end }) => { for (const at of [24, 32, 40]) content.writeBigUInt64LE(0n, end + at); content.writeBigUInt64LE(BigInt(end), end + 48); content.writeUInt32LE(0, content.length - 14); content.writeUInt32LE(0, content.length - 10); content.writeUInt32LE(end, content.length - 6); }, zip('end: hole before the central directory, got \\d+, expected 0$')],
  ['zip64 end elsewhere', ({ content, end }) => content.writeBigUInt64LE(8n, end + 64), zip('end: wrong offset of the zip64 end, got 8')],
  ['zip64 end missing', ({ content, end }) => content.writeUInt32LE(0, end), /^pytorch_model\.bin: zip64 end: not right before its locator$/],
  ['zip64 end of another size', ({ content, end }) => content.writeBigUInt64LE(45n, end + 4), zip('end: wrong size of the zip64 end')],
  ['directory before the file', ({ content, end }) => { content.writeBigUInt64LE(2n ** 64n - 8n, end + 48); content.writeUInt32LE(0xffffffff, content.length - 6); }, zip('end: central directory does not end here')],
  ['directory of 2^64 - 1 bytes', ({ content, end }) => { content.writeBigUInt64LE(2n ** 64n - 1n, end + 40); content.writeUInt32LE(0xffffffff, content.length - 10); }, zip('end: central directory does not end here')],
  ['locator gone, fields of zip64 left', ({ content, end }) => { content.writeUInt32LE(0, end + 56); }, zip('end: central directory does not end here')],
  ['a byte behind', ({ content }) => join(content, bytes(0)), zip('end: no end of a zip archive')],
  ['cut', ({ content }) => content.subarray(0, content.length - 1), zip('end: no end of a zip archive')],
  ['only its first bytes', ({ content }) => content.subarray(0, 10), zip('end: file too short')],
  ['0 bytes', () => bytes(), /^pytorch_model\.bin: not a zip archive, as torch\.save writes$/],
  ['HTML', () => Buffer.from('<!doctype html>'), /^pytorch_model\.bin: this is an HTML page/],
  ['Git LFS pointer', () => Buffer.from('version https://git-lfs.github.com/spec/v1\n'), /^pytorch_model\.bin: this is a Git LFS pointer, run git lfs pull$/],
  ['before PyTorch 1.6', () => Buffer.from('\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.', 'latin1'), /^pytorch_model\.bin: saved before PyTorch 1\.6/, 'unsupported'],
  ['name twice', () => torchArchive([...torchParts(dictOf({}), STORAGES), [VERSION, bytes(0x33)]]).content, zip('entry ".*/version": the name occurs twice')],
  ...['../evil', 'pytorch_model/../evil', '/etc/passwd', 'C:\\evil', 'pytorch_model/./x', 'pytorch_model//x', 'pytorch_model/', 'a\0b', '', '..'].map((to) => [`entry ${JSON.stringify(to)}`, () => rename(VERSION, to).content, zip('entry \\d: unsafe name, got ')] as const),
  ['two folders', () => rename(VERSION, 'other/version').content, /^pytorch_model\.bin: zip: not one folder with data\.pkl/],
  ['no data.pkl', () => rename('pytorch_model/data.pkl', 'pytorch_model/model.pkl').content, /^pytorch_model\.bin: zip: not one folder with data\.pkl/],
  ['no entries', () => torchArchive([]).content, /^pytorch_model\.bin: not a zip archive/],
  ['30,000 entries', () => torchArchive(Array.from({ length: 30_000 }, (_, i) => [`x/${i}`, bytes()] as const)).content, zip('end: too many entries, got 30000, expected at most 20000$')],
  ['big-endian', ({ content, entry }) => content.write('gibtel', entry('byteorder').data), /^pytorch_model\.bin: pytorch_model\/byteorder: wrong value, got "gibtel", expected little$/],
  ['version not a number', ({ content, entry }) => content.write('x', entry('version').data), /^pytorch_model\.bin: pytorch_model\/version: wrong value, got "x\\n", expected a number$/],
  ['version of 1 MB', () => torchArchive([...torchParts(dictOf({}), STORAGES).filter(([name]) => name !== VERSION), [VERSION, Buffer.alloc(1_000_000)]]).content, /^pytorch_model\.bin: pytorch_model\/version: wrong value/],
];

const OPEN_FOLDER = path.join(import.meta.dirname, '../../support/drivers/open-folder.js');
/** Most memory that telling a bad input may take: 300 MB, and what versions of Node differ by. */
const MAX_REJECT_KB = 320_000;

test('hostile pickles take little memory', async (t) => {
  const numbered = (count: number, opcodes: (i: number) => Uint8Array) =>
    Buffer.concat(Array.from({ length: count }, (_, i) => opcodes(i)));
  const u32 = (value: number) => Buffer.from(Uint32Array.of(value).buffer);
  // biome-ignore format: rows of a table
  const rows: readonly (readonly [name: string, pickle: () => Uint8Array, message: RegExp])[] = [
    ['a chain of 999,990 tuples', () => inDict(p.emptyTuple, repeat(999_990, bytes(0x85))), tensor('not a tensor')],
    ['999,990 pairs, each of the last', () => inDict(p.emptyTuple, p.put(0), repeat(333_330, join(p.get(0), bytes(0x86), p.put(0)))), tensor('not a tensor')],
    ['a memo of 999,990 values', () => inDict(p.none, numbered(999_990, (i) => join(bytes(0x72), u32(i)))), tensor('not a tensor')],
    ['333,000 members', () => whole(p.emptyDict, numbered(333_000, (i) => join(p.string(`${i}`), p.none, p.setItem))), /tensor "0": not a tensor/],
    ['249,000 dicts', () => whole(p.emptyDict, numbered(249_000, (i) => join(p.string(`${i}`), p.emptyDict, p.setItem))), /tensor "0": not a tensor/],
    ['16 MB of strings', () => whole(p.emptyDict, numbered(15_000, (i) => join(p.string(`${i}`.padEnd(1000)), p.none, p.setItem))), /not a name of a tensor/],
  ];
  for (const [name, pickle, message] of rows) {
    await t.test(name, (t) => {
      const folder = temporaryFolder(t);
      writeTinyConfig(folder);
      writeFileSync(path.join(folder, NAME), around(pickle()).content);
      const { status, stdout } = spawnSync(process.execPath, [OPEN_FOLDER, folder], { encoding: 'utf8' });
      assert.match(stdout, message);
      assert.equal(status, 3);
      assert.ok(Number(/peak (\d+)/.exec(stdout)![1]) < MAX_REJECT_KB, stdout);
    });
  }
});

test('refuses archives', async (t) => {
  for (const [name, damage, message, failure] of DAMAGES) {
    await t.test(name, async (t) => {
      const archive = around(dictOf({}));
      const damaged = damage({ ...archive, entry: (name) => entryOf(archive, name) });
      const content = damaged instanceof Uint8Array ? damaged : archive.content;
      const expected = failure === undefined ? { message } : { message, failure };
      await assertRefused(temporaryFolder(t), content, expected);
    });
  }
});

test('a dtype without weights is named, not read', async (t) => {
  const folder = temporaryFolder(t);
  const complex = stateDictPickle([{ name: 'x', dtype: 'ComplexFloat', shape: [3] }]);
  writeFileSync(path.join(folder, NAME), around(complex).content);
  const [tensor] = await readFile(folder);
  assert.deepEqual([tensor!.dtype, tensor!.scheme], ['ComplexFloat', undefined]);
});

test('a pickle that is cut is refused at every byte', async (t) => {
  for (const protocol of [2, 4]) {
    const folder = temporaryFolder(t);
    const pickle = stateDictPickle(
      [TENSOR, { ...TENSOR, name: 'y', storage: '0', parameter: true }],
      protocol,
    );
    for (let length = 0; length < pickle.length; length++) {
      writeFileSync(path.join(folder, NAME), around(pickle.subarray(0, length)).content);
      await assert.rejects(readFile(folder), (error) => error instanceof PressError && error.exitCode === 3);
    }
  }
});

test('bytes changed anywhere give tensors inside the file or a PressError', async (t) => {
  const folder = temporaryFolder(t);
  const { content } = around(dictOf({}));
  const change = fc.record({ at: fc.nat(content.length - 1), value: fc.nat(255) });
  await fc.assert(
    fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 4 }), async (changes) => {
      const damaged = Buffer.from(content);
      for (const { at, value } of changes) damaged[at] = value;
      writeFileSync(path.join(folder, NAME), damaged);
      try {
        for (const { offset, shape } of await readFile(folder)) {
          assert.ok(offset >= 0 && offset + shape.reduce((product, n) => product * n, 1) <= damaged.length);
        }
      } catch (error) {
        if (!(error instanceof PressError)) throw error;
      }
    }),
    { numRuns: 2000 },
  );
});
