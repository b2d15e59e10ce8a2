import type { PressError } from '../../src/core/errors.ts';
import { PickleCursor } from './pickle-cursor.ts';
import { construct, findGlobal } from './pickle-globals.ts';
import { Dict, Global, Storage, Tuple, type Value } from './values.ts';

/**
 * A tensor takes about 30 opcodes and a PLM of 512 layers has about 6,200; the rest is room for `_metadata`.
 */
const MAX_OPCODES = 1_000_000;
/** Python sets 1,000 members at a time, each a name and a value. */
const MAX_STACK = 10_000;
/** Tuples are argument lists, shapes and strides. */
const MAX_TUPLE = 64;

/** Opcodes of Python's pickle module, by its names: those that state dicts of `torch.save` are made of. */
const Op = {
  MARK: 0x28,
  STOP: 0x2e,
  BININT: 0x4a,
  BININT1: 0x4b,
  BININT2: 0x4d,
  NONE: 0x4e,
  BINPERSID: 0x51,
  REDUCE: 0x52,
  BINUNICODE: 0x58,
  BUILD: 0x62,
  GLOBAL: 0x63,
  BINGET: 0x68,
  LONG_BINGET: 0x6a,
  BINPUT: 0x71,
  LONG_BINPUT: 0x72,
  SETITEM: 0x73,
  TUPLE: 0x74,
  SETITEMS: 0x75,
  EMPTY_DICT: 0x7d,
  EMPTY_TUPLE: 0x29,
  PROTO: 0x80,
  TUPLE1: 0x85,
  TUPLE2: 0x86,
  TUPLE3: 0x87,
  NEWTRUE: 0x88,
  NEWFALSE: 0x89,
  LONG1: 0x8a,
  SHORT_BINUNICODE: 0x8c,
  BINUNICODE8: 0x8d,
  STACK_GLOBAL: 0x93,
  MEMOIZE: 0x94,
  FRAME: 0x95,
} as const;

/**
 * Reads the value of a pickle, of which nothing is executed: the opcodes and globals that a state dict needs
 * build inert values, and every other opcode and global is refused at its byte. Values that a pickle mentions
 * twice are shared, so the result takes no more memory than a multiple of `content`, and nothing here
 * recurses into it.
 */
export function parsePickle(content: Uint8Array, file: string, entry: string): Value {
  return new Unpickler(new PickleCursor(content, file, entry)).run();
}

class Unpickler {
  readonly #cursor: PickleCursor;
  readonly #stack: Value[] = [];
  /** Heights of the stack at each open MARK. */
  readonly #marks: number[] = [];
  readonly #memo = new Map<number, Value>();

  constructor(cursor: PickleCursor) {
    this.#cursor = cursor;
  }

  run(): Value {
    const cursor = this.#cursor;
    if (cursor.opcode() !== Op.PROTO) throw cursor.fault('not a pickle of protocol 2 or later');
    const protocol = cursor.u8();
    if (protocol < 2 || protocol > 5) throw cursor.fault('unknown protocol', protocol, '2 to 5');
    for (let count = 0; count < MAX_OPCODES; count++) {
      const opcode = cursor.opcode();
      if (opcode === Op.STOP) return this.#result();
      this.#step(opcode);
      if (this.#stack.length + this.#marks.length > MAX_STACK) {
        throw cursor.fault('stack too deep', this.#stack.length, `at most ${MAX_STACK} values`);
      }
    }
    throw cursor.fault(`more than ${MAX_OPCODES} opcodes`);
  }

  #result(): Value {
    const value = this.#pop();
    if (this.#stack.length > 0 || this.#marks.length > 0) throw this.#fault('STOP with more than one value');
    if (!this.#cursor.atEnd) throw this.#fault('bytes after STOP');
    return value;
  }

  #step(opcode: number): void {
    const value = this.#pushed(opcode);
    if (value === undefined) this.#act(opcode);
    else this.#stack.push(value);
  }

  /** What the opcode pushes; undefined where it is not one that pushes. */
  #pushed(opcode: number): Value | undefined {
    const cursor = this.#cursor;
    switch (opcode) {
      case Op.NONE:
        return null;
      case Op.NEWTRUE:
        return true;
      case Op.NEWFALSE:
        return false;
      case Op.BININT1:
        return cursor.u8();
      case Op.BININT2:
        return cursor.u16();
      case Op.BININT:
        return cursor.i32();
      case Op.LONG1:
        return cursor.integer(cursor.u8());
      case Op.SHORT_BINUNICODE:
        return cursor.string(cursor.u8());
      case Op.BINUNICODE:
        return cursor.string(cursor.u32());
      case Op.BINUNICODE8:
        return cursor.string(cursor.u64());
      case Op.EMPTY_TUPLE:
        return new Tuple([]);
      case Op.TUPLE1:
      case Op.TUPLE2:
      case Op.TUPLE3:
        return new Tuple(this.#popMany(opcode - Op.TUPLE1 + 1));
      case Op.TUPLE:
        return this.#markedTuple();
      case Op.EMPTY_DICT:
        return new Dict(false);
      case Op.BINGET:
        return this.#recall(cursor.u8());
      case Op.LONG_BINGET:
        return this.#recall(cursor.u32());
      case Op.GLOBAL:
        return this.#global(cursor.line(), cursor.line());
      case Op.STACK_GLOBAL:
        return this.#stackGlobal();
      case Op.BINPERSID:
        return this.#storage(this.#pop());
      case Op.REDUCE:
        return this.#call();
      default:
        return undefined;
    }
  }

  #act(opcode: number): void {
    const cursor = this.#cursor;
    switch (opcode) {
      case Op.FRAME:
        cursor.assertRemaining(cursor.u64());
        break;
      case Op.MARK:
        this.#marks.push(this.#stack.length);
        break;
      case Op.SETITEM:
        this.#setItems(this.#popMany(2));
        break;
      case Op.SETITEMS:
        this.#setItems(this.#popToMark());
        break;
      case Op.BINPUT:
        this.#remember(cursor.u8());
        break;
      case Op.LONG_BINPUT:
        this.#remember(cursor.u32());
        break;
      case Op.MEMOIZE:
        this.#remember(this.#memo.size);
        break;
      case Op.BUILD:
        this.#build();
        break;
      default:
        throw this.#fault(`opcode 0x${opcode.toString(16)} does not occur in state dicts`);
    }
  }

  #pop(): Value {
    return this.#popMany(1)[0]!;
  }

  /** The last values; none from below an open MARK. */
  #popMany(count: number): Value[] {
    const floor = this.#marks.at(-1) ?? 0;
    if (this.#stack.length - count < floor) throw this.#fault('too few values on the stack');
    return this.#stack.splice(this.#stack.length - count);
  }

  #popToMark(): Value[] {
    const mark = this.#marks.pop();
    if (mark === undefined) throw this.#fault('no MARK on the stack');
    return this.#stack.splice(mark);
  }

  #top(): Value {
    const value = this.#pop();
    this.#stack.push(value);
    return value;
  }

  #remember(key: number): void {
    this.#memo.set(key, this.#top());
  }

  #recall(key: number): Value {
    const value = this.#memo.get(key);
    if (value === undefined) throw this.#fault('no such entry in the memo', key);
    return value;
  }

  #markedTuple(): Tuple {
    const items = this.#popToMark();
    if (items.length > MAX_TUPLE)
      throw this.#fault('tuple too long', items.length, `at most ${MAX_TUPLE} items`);
    return new Tuple(items);
  }

  #setItems(items: readonly Value[]): void {
    const dict = this.#top();
    if (!(dict instanceof Dict)) throw this.#fault('items for something that is not a dict');
    if (items.length % 2 !== 0) throw this.#fault('key without a value');
    for (let i = 0; i < items.length; i += 2) {
      const key = items[i];
      if (typeof key !== 'string') throw this.#fault('key that is not a string');
      if (dict.members.has(key)) throw this.#fault('key occurs twice', key);
      dict.members.set(key, items[i + 1]!);
    }
  }

  #stackGlobal(): Global {
    const [module, name] = this.#popMany(2);
    if (typeof module !== 'string' || typeof name !== 'string')
      throw this.#fault('global that is not a string');
    return this.#global(module, name);
  }

  #global(module: string, name: string): Global {
    const global = findGlobal(module, name);
    if (global === undefined) throw this.#fault('global not allowed', `${module}.${name}`);
    return global;
  }

  #storage(id: Value): Storage {
    const items = id instanceof Tuple && id.items.length === 5 ? id.items : [];
    const [kind, type, key, location, elements] = items;
    const dtype = type instanceof Global ? type.dtype : undefined;
    if (
      kind !== 'storage' ||
      dtype === undefined ||
      typeof key !== 'string' ||
      typeof location !== 'string'
    ) {
      throw this.#fault('persistent id that is not a storage');
    }
    if (typeof elements !== 'number' || elements < 0) throw this.#fault('wrong size of a storage', elements);
    return new Storage(dtype, key, elements);
  }

  #call(): Value {
    const [callable, args] = this.#popMany(2);
    if (!(callable instanceof Global)) throw this.#fault('call of something that is not a global');
    if (!(args instanceof Tuple)) throw this.#fault('call without a tuple of arguments', callable.name);
    const value = construct(callable, args.items);
    if (value === undefined)
      throw this.#fault('call with other arguments than torch.save writes', callable.name);
    return value;
  }

  /**
   * Attributes of an OrderedDict: state dicts have `_metadata`, versions of modules, which nothing here
   * needs.
   */
  #build(): void {
    const state = this.#pop();
    const target = this.#top();
    const isMetadata =
      target instanceof Dict &&
      target.ordered &&
      state instanceof Dict &&
      state.members.size === 1 &&
      state.members.get('_metadata') instanceof Dict;
    if (!isMetadata) throw this.#fault('BUILD of something other than _metadata');
  }

  #fault(what: string, got?: unknown, expected?: string): PressError {
    return this.#cursor.fault(what, got, expected);
  }
}
