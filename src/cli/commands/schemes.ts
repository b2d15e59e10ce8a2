import { Command } from 'commander';
import { RECIPES, type Recipe, type Rule } from '../../../formats/gguf/recipes.ts';
import { ONNX_SCHEMES } from '../../../formats/onnx/schemes.ts';
import { WEBGPU_SCHEMES } from '../../../formats/webgpu/schemes.ts';
import { bitsPerWeight, SCHEMES, type SchemeName } from '../../core/scheme.ts';
import { canEncode } from '../../schemes/index.ts';
import type { OpenSession } from '../program.ts';
import { renderTable } from '../ui/table.ts';
import type { Theme } from '../ui/theme.ts';

export function schemesCommand(open: OpenSession): Command {
  return new Command('schemes')
    .description('list the targets of convert and the schemes that tensors are stored in')
    .action(async () => {
      const session = open();
      const targets = [
        ...RECIPES.map((recipe) => ({ target: `gguf:${recipe.name}`, summary: describeRecipe(recipe) })),
        ...ONNX_SCHEMES.map(({ name, summary }) => ({ target: `onnx:${name}`, summary })),
        ...WEBGPU_SCHEMES.map(({ name, summary }) => ({ target: `webgpu:${name}`, summary })),
      ];
      const schemes = (Object.keys(SCHEMES) as SchemeName[]).map(describeScheme);
      if (session.json) await session.writeJson({ targets, schemes });
      else await session.writeLines(tables(targets, schemes, session.theme));
    });
}

interface TargetLine {
  readonly target: string;
  readonly summary: string;
}

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

function describeScheme(name: SchemeName) {
  const { ggmlType, blockSize, blockBytes } = SCHEMES[name];
  return {
    name,
    ggmlType,
    bitsPerWeight: bitsPerWeight(name),
    blockSize,
    blockBytes,
    write: canEncode(name),
  };
}

function tables(
  targets: readonly TargetLine[],
  schemes: readonly ReturnType<typeof describeScheme>[],
  theme: Theme,
): string[] {
  const mark = (flag: boolean) => (flag ? 'yes' : '-');
  return [
    ...renderTable(
      [{ header: 'target' }, { header: 'what it writes' }],
      targets.map(({ target, summary }) => [target, summary]),
      theme.dim,
    ),
    '',
    'Of several exceptions the first counts. Norms and other vectors are F32 in every GGUF and WebGPU bundle.',
    '',
    ...renderTable(
      [
        { header: 'scheme' },
        { header: 'ggml type', align: 'right' },
        { header: 'bits a weight', align: 'right' },
        { header: 'weights a block', align: 'right' },
        { header: 'bytes a block', align: 'right' },
        { header: 'write' },
      ],
      schemes.map((scheme) => [
        scheme.name,
        String(scheme.ggmlType),
        scheme.bitsPerWeight.toFixed(4),
        String(scheme.blockSize),
        String(scheme.blockBytes),
        mark(scheme.write),
      ]),
      theme.dim,
    ),
  ];
}
