import type { Attribute } from '../graph.ts';

/** An attribute that an operator knows. */
export type AttributeRule = {
  readonly [Type in Attribute['type']]: {
    readonly type: Type;
    /** What it is where it is left out. */
    readonly value?: Extract<Attribute, { type: Type }>['value'];
    readonly required?: boolean;
    readonly allows?: (value: Extract<Attribute, { type: Type }>['value']) => boolean;
    /** For people: what it allows. */
    readonly expected: string;
  };
}[Attribute['type']];

/** What a node of a kind looks like. */
export interface OperatorForm {
  /** Least and greatest number of inputs, those left out in the middle included. */
  readonly inputs: readonly [number, number];
  readonly outputs: readonly [number, number];
  readonly attributes: Readonly<Record<string, AttributeRule>>;
}
