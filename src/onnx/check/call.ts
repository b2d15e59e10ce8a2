import { invalidInput, type PressError } from '../../core/errors.ts';
import type { Attribute, ElementType, Node } from '../graph.ts';
import type { OperatorForm } from '../operators/form.ts';
import { type Extent, isFixed } from './extent.ts';
import { isUnknown, type Sizes } from './sizes.ts';
import type { ValueType } from './value-type.ts';

/**
 * A node with the types of its inputs: what operators infer from, in a model that is checked and in one that
 * runs.
 */
export class Call {
  readonly node: Node;
  readonly inputs: readonly (ValueType | undefined)[];
  readonly sizes: Sizes;
  readonly #form: OperatorForm;

  constructor(node: Node, form: OperatorForm, inputs: readonly (ValueType | undefined)[], sizes: Sizes) {
    this.node = node;
    this.inputs = inputs;
    this.sizes = sizes;
    this.#form = form;
  }

  /** Throws `invalid-input` unless the node has the inputs, outputs and attributes of its operator. */
  checkForm(): void {
    this.#checkCount('inputs', this.node.inputs.length, this.#form.inputs);
    this.#checkCount('outputs', this.node.outputs.length, this.#form.outputs);
    this.#checkAttributes();
  }

  /** A fault of this node. */
  fault(what: string, got: unknown, expected: string): PressError {
    return invalidInput({ field: this.node.name, what: `${this.node.opType}: ${what}`, got, expected });
  }

  /** Value of an attribute, or what it is where it is left out. */
  int(name: string): number {
    return this.#attribute(name) as number;
  }

  float(name: string): number {
    return this.#attribute(name) as number;
  }

  /** Undefined where it is left out and nothing stands in for it. */
  ints(name: string): readonly number[] | undefined {
    return this.#attribute(name) as readonly number[] | undefined;
  }

  #attribute(name: string): Attribute['value'] | undefined {
    return (this.node.attributes[name] ?? this.#form.attributes[name])?.value;
  }

  has(index: number): boolean {
    return this.inputs[index] !== undefined;
  }

  /** Throws where the input is left out. */
  input(index: number): ValueType {
    const input = this.inputs[index];
    if (input === undefined) throw this.fault(`input ${index}`, undefined, 'a value');
    return input;
  }

  /** Type of an input, one of `among`. */
  type(index: number, among: readonly ElementType[]): ElementType {
    const { type } = this.input(index);
    if (!among.includes(type)) throw this.fault(`type of input ${index}`, type, among.join(', '));
    return type;
  }

  /** Shape of an input, which must have a known rank, `rank` if that is given. */
  shape(index: number, rank?: number): readonly Extent[] {
    const { shape } = this.input(index);
    if (shape === undefined) throw this.fault(`rank of input ${index}`, undefined, 'a known one');
    if (rank !== undefined && shape.length !== rank) {
      throw this.fault(`rank of input ${index}`, shape.length, String(rank));
    }
    return shape;
  }

  /** An axis of a shape of `rank` axes, counted from its front. */
  axis(axis: number, rank: number): number {
    if (!Number.isInteger(axis) || axis < -rank || axis >= rank) {
      throw this.fault('axis', axis, `${-rank} to ${rank - 1}`);
    }
    return axis < 0 ? axis + rank : axis;
  }

  /**
   * Elements of an input, all of them plain numbers; undefined where they are not known before the model
   * runs.
   */
  constants(index: number): readonly number[] | undefined {
    const contents = this.inputs[index]?.contents;
    return contents?.every(isFixed) ? contents : undefined;
  }

  /** The common value of two extents that must be the same. */
  same(what: string, got: Extent, expected: Extent): Extent {
    const agreed = this.sizes.agree(got, expected);
    if (agreed === undefined) throw this.fault(what, String(got), String(expected));
    return agreed;
  }

  /** The common shape of two that must be the same. */
  sameShape(what: string, got: readonly Extent[], expected: readonly Extent[]): readonly Extent[] {
    if (got.length !== expected.length)
      throw this.fault(`rank of ${what}`, got.length, String(expected.length));
    return got.map((extent, axis) => this.same(`${what}, axis ${axis}`, extent, expected[axis]!));
  }

  /** The shape that all broadcast to; undefined if the rank of one is not known. */
  broadcast(shapes: readonly (readonly Extent[] | undefined)[]): readonly Extent[] | undefined {
    if (!shapes.every((shape) => shape !== undefined)) return undefined;
    const rank = Math.max(...shapes.map((shape) => shape.length));
    return Array.from({ length: rank }, (_, axis) =>
      shapes
        .map((shape) => shape[shape.length - rank + axis] ?? 1)
        .reduce((a, b) => this.#broadcastExtent(axis, a, b)),
    );
  }

  #broadcastExtent(axis: number, a: Extent, b: Extent): Extent {
    if (a === 1) return b;
    if (b === 1) return a;
    if (isUnknown(a)) return b;
    return this.same(`sizes broadcast along axis ${axis}`, b, a);
  }

  #checkCount(what: string, count: number, [least, most]: readonly [number, number]): void {
    if (count < least || count > most) {
      throw this.fault(`number of ${what}`, count, least === most ? String(least) : `${least} to ${most}`);
    }
  }

  #checkAttributes(): void {
    const rules = this.#form.attributes;
    for (const [name, { type, value }] of Object.entries(this.node.attributes)) {
      const rule = Object.hasOwn(rules, name) ? rules[name] : undefined;
      if (rule === undefined) {
        throw this.fault('unknown attribute', name, Object.keys(rules).join(', ') || 'none');
      }
      if (type !== rule.type) throw this.fault(`type of attribute ${name}`, type, rule.type);
      if (!isValueOf(type, value)) throw this.fault(`attribute ${name}`, value, `of type ${type}`);
      if (rule.allows?.(value as never) === false)
        throw this.fault(`attribute ${name}`, value, rule.expected);
    }
    for (const [name, rule] of Object.entries(rules)) {
      if (rule.required && this.node.attributes[name] === undefined) {
        throw this.fault(`attribute ${name}`, undefined, rule.expected);
      }
    }
  }
}

function isValueOf(type: Attribute['type'], value: unknown): boolean {
  if (type === 'ints') return Array.isArray(value) && value.every(Number.isSafeInteger);
  return type === 'int' ? Number.isSafeInteger(value) : typeof value === 'number';
}
