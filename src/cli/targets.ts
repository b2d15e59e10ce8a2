import { RECIPES, type Recipe, type Rule } from '../../formats/gguf/recipes.ts';
import { ONNX_SCHEMES } from '../../formats/onnx/schemes.ts';
import { WEBGPU_SCHEMES } from '../../formats/webgpu/schemes.ts';

export interface TargetLine {
  readonly target: string;
  readonly summary: string;
}

/** Every target of `convert`, and what it writes. */
export const TARGETS: readonly TargetLine[] = [
  ...RECIPES.map((recipe) => ({ target: `gguf:${recipe.name}`, summary: describeRecipe(recipe) })),
  ...ONNX_SCHEMES.map(({ name, summary }) => ({ target: `onnx:${name}`, summary })),
  ...WEBGPU_SCHEMES.map(({ name, summary }) => ({ target: `webgpu:${name}`, summary })),
];

function describeRecipe({ base, rules, alias, needsImatrix }: Recipe): string {
  const everywhere = rules.find(({ roles }) => roles === undefined);
  const parts =
    everywhere === undefined
      ? [`${base} matrices`, ...rules.map(describeRule)]
      : [
          `${everywhere.scheme} matrices`,
          ...rules.filter((rule) => rule !== everywhere).map(describeRule),
          `${base} with --pure`,
        ];
  if (needsImatrix) parts.push('needs --imatrix');
  if (alias !== undefined) parts.push(`also gguf:${alias}`);
  return parts.join('; ');
}

function describeRule({ scheme, roles, layers, imatrix }: Rule): string {
  const where = layers === undefined ? '' : ` in the ${layers}`;
  const condition = imatrix === undefined ? '' : ` ${imatrix ? 'with' : 'without'} --imatrix`;
  return `${roles!.join(', ')} ${scheme}${where}${condition}`;
}
