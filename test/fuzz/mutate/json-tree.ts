/** JSON as it stands in a file: members may have one name twice, and scalars may be no JSON at all. */
export type JsonTree =
  | { readonly kind: 'object' | 'array'; readonly members: Member[] }
  | { readonly kind: 'scalar'; readonly text: string };

export interface Member {
  /** Undefined in an array. */
  key?: string;
  value: JsonTree;
}

export const scalar = (text: string): JsonTree => ({ kind: 'scalar', text });

/** Of a valid document; throws for others. */
export function parseTree(text: string): JsonTree {
  return treeOf(JSON.parse(text));
}

function treeOf(value: unknown): JsonTree {
  if (Array.isArray(value)) return { kind: 'array', members: value.map((item) => ({ value: treeOf(item) })) };
  if (typeof value !== 'object' || value === null) return scalar(JSON.stringify(value));
  const members = Object.entries(value).map(([key, member]) => ({ key, value: treeOf(member) }));
  return { kind: 'object', members };
}

export function printTree(tree: JsonTree): string {
  if (tree.kind === 'scalar') return tree.text;
  const members = tree.members.map(({ key, value }) =>
    key === undefined ? printTree(value) : `${JSON.stringify(key)}:${printTree(value)}`,
  );
  return tree.kind === 'array' ? `[${members.join(',')}]` : `{${members.join(',')}}`;
}
