import { Command } from 'commander';
import { PressError } from '../../../core/errors.ts';
import {
  formatBytes,
  formatBytesExactly,
  formatCount,
  formatCounted,
  formatParameters,
  visible,
} from '../../../core/text/format.ts';
import { type ArtifactPlace, artifactsAt, checkPlace } from '../../../pipeline/artifacts/artifact-places.ts';
import { isFolder } from '../../../pipeline/formats/model-at.ts';
import { type Inspection, inspect } from '../../../pipeline/inspect.ts';
import { withSource } from '../../../pipeline/sources/open.ts';
import { describeFailure } from '../../failure.ts';
import { helpText } from '../../help-text.ts';
import type { OpenSession, Session } from '../../session.ts';
import { renderFacts, renderTable } from '../../ui/terminal/table.ts';
import type { Theme } from '../../ui/terminal/theme.ts';
import { sourceArgument } from '../flags/input-flags.ts';

const HELP = `
Reads headers only, so it is quick for models of any size, also on the Hub. In a folder with several artifacts, it shows
every artifact that plmpress.json names, or, without plmpress.json, every artifact found. --json then prints
{"artifacts": [...], "leftOut": [...]}.

Examples:
  plmpress inspect checkpoint/
  plmpress inspect PLM-Team/PLM-1.8B-Instruct --json`;

export function inspectCommand(open: OpenSession): Command {
  return new Command('inspect')
    .description('show a model: geometry, parameters, tensors, tokenizer, metadata')
    .addArgument(sourceArgument())
    .addHelpText('after', helpText(HELP))
    .action(async (source: string) => {
      const session = open();
      // A file is one model. A source on the Hub is read there and must be one model.
      if (!(await isFolder(source))) return tell(session, await inspectSource(session, source));
      const { artifacts, leftOut } = await artifactsAt(source, true);
      for (const name of leftOut) {
        session.note(`${visible(name)} was left out: plmpress.json does not name it; inspect it by its path`);
      }
      if (artifacts.length === 1) return tell(session, await inspectSource(session, source));
      const inspected: InspectedArtifact[] = [];
      for (const artifact of artifacts) inspected.push(await inspectArtifact(session, artifact));
      await tellAll(session, inspected, leftOut);
    });
}

/** Longest text of a model that is shown. */
const SHOWN = 80;

function inspectSource({ access }: Session, source: string): Promise<Inspection> {
  return withSource(source, async (model) => inspect(model), { ...access, remote: true });
}

async function tell(session: Session, inspection: Inspection): Promise<void> {
  if (session.json) await session.writeJson(inspection);
  else await session.writeLines(describe(inspection, session.theme));
}

/** One of several artifacts: its description, or why it could not be read. */
interface InspectedArtifact {
  readonly name: string;
  readonly target: string | undefined;
  readonly inspection?: Inspection;
  readonly refusal?: PressError;
}

async function inspectArtifact(session: Session, artifact: ArtifactPlace): Promise<InspectedArtifact> {
  const { place, name, recorded } = artifact;
  const target = recorded?.artifact.target;
  try {
    await checkPlace(artifact, { by: 'sizes' });
    return { name, target, inspection: await inspectSource(session, place) };
  } catch (refusal) {
    if (!(refusal instanceof PressError)) throw refusal;
    return { name, target, refusal };
  }
}

/** Prints all descriptions, then throws the first refusal, whose class is the exit code. */
async function tellAll(
  session: Session,
  inspected: readonly InspectedArtifact[],
  leftOut: readonly string[],
): Promise<void> {
  if (session.json) await session.writeJson({ artifacts: inspected.map(toJson), leftOut });
  else {
    for (const { name, target, inspection, refusal } of inspected) {
      const { theme } = session;
      await session.writeLines([
        theme.bold(visible(target === undefined ? name : `${name} (${target})`, SHOWN)),
        '',
        ...(inspection ? describe(inspection, theme) : [`${theme.bad('failed')} ${refusal!.message}`, '']),
      ]);
    }
  }
  const refusal = inspected.find((artifact) => artifact.refusal !== undefined)?.refusal;
  if (refusal !== undefined) await session.fail(refusal);
}

function toJson({ name, target, inspection, refusal }: InspectedArtifact) {
  const named = { artifact: name, ...(target !== undefined && { target }) };
  if (refusal === undefined) return { ...named, ...inspection! };
  const { class: kind, exitCode, message } = describeFailure(refusal);
  return { ...named, error: { class: kind, exitCode, message } };
}

function describe(inspection: Inspection, theme: Theme): string[] {
  return [
    ...section('Model', theme, renderFacts(modelFacts(inspection))),
    ...section('Parameters', theme, parameterTable(inspection)),
    ...section('Tokenizer', theme, renderFacts(tokenizerFacts(inspection))),
    ...section('Metadata', theme, renderFacts(metadataFacts(inspection))),
    ...section('Tensors', theme, tensorTable(inspection, theme)),
    ...inspection.notes.map((note) => `note: ${visible(note, 300)}`),
  ];
}

function section(title: string, theme: Theme, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : [theme.bold(title), ...lines.map((line) => `  ${line}`), ''];
}

type Facts = (readonly [string, string])[];

function modelFacts({ name, format, files, bytes, bitsPerWeight, config, ...rest }: Inspection): Facts {
  const ffn = [...new Set(config.intermediateSizes)].map(formatCount).join(', ');
  const { numAttentionHeads, qkNopeHeadDim, qkRopeHeadDim, vHeadDim, kvLoraRank, qLoraRank } = config;
  const { expanded, latent } = rest.kvCacheBytesPerToken;
  return [
    ['name', visible(name, SHOWN)],
    ['format', `${format}, ${formatCounted(files.length, 'file')}`],
    ['weights', `${formatBytesExactly(bytes)}, ${bitsPerWeight.toFixed(2)} bits per weight`],
    ['layers', `${formatCount(config.numHiddenLayers)}, hidden size ${formatCount(config.hiddenSize)}`],
    ['heads', `${numAttentionHeads}, nope ${qkNopeHeadDim}, rope ${qkRopeHeadDim}, v ${vHeadDim}`],
    ['latent', `kv_lora_rank ${kvLoraRank}, q_lora_rank ${qLoraRank ?? 'none'}`],
    ['FFN', `${ffn}, squared ReLU`],
    [
      'rope',
      `theta ${formatCount(config.ropeTheta)}, ${config.ropeInterleave ? 'interleaved' : 'half-split'} pairs`,
    ],
    ['norm', `RMS, epsilon ${config.rmsNormEps}`],
    ['context', formatCounted(config.maxPositionEmbeddings, 'token')],
    ['head', config.tieWordEmbeddings ? 'tied to the embedding' : 'a matrix of its own'],
    [
      'KV cache',
      `${formatCounted(latent, 'byte')} per token latent, ${formatCount(expanded)} expanded (${(expanded / latent).toFixed(1)} times as many), in f16`,
    ],
  ];
}

function parameterTable({ parameters }: Inspection): string[] {
  const rows = (['attention', 'ffn', 'embedding', 'norms', 'total'] as const).map((part) => {
    const count = parameters[part];
    const share = `${((100 * count) / parameters.total).toFixed(1)} %`;
    return [part === 'ffn' ? 'FFN' : part, formatParameters(count), formatCount(count), share];
  });
  return renderTable(
    [
      { header: 'part' },
      { header: 'size', align: 'right' },
      { header: 'parameters', align: 'right' },
      { header: 'share', align: 'right' },
    ],
    rows,
  );
}

function tokenizerFacts({ tokenizer, stopTokens }: Inspection): Facts {
  const { tokens, merges, added, paddingRows, normalizer, preTokenizer } = tokenizer;
  return [
    [
      'vocabulary',
      `${formatCounted(tokens, 'token')}, ${formatCount(added)} of them added, and ${formatCounted(paddingRows, 'padding row')}`,
    ],
    ['kind', `byte-level BPE, ${formatCounted(merges, 'merge')}, ${preTokenizer}, normalizer ${normalizer}`],
    ['stop tokens', stopTokens.map(({ id, text }) => `${id} ${visible(text, SHOWN)}`).join(', ') || 'none'],
    ['chat template', tokenizer.chatTemplate ? 'yes' : 'no'],
  ];
}

function metadataFacts({ card, generation }: Inspection): Facts {
  const facts = { ...card, ...generation };
  return Object.entries(facts).map(([name, value]) => [name, visible([value].flat().join(', '), SHOWN)]);
}

function tensorTable({ tensors }: Inspection, theme: Theme): string[] {
  return renderTable(
    [
      { header: 'name' },
      { header: 'scheme' },
      { header: 'shape', align: 'right' },
      { header: 'size', align: 'right' },
      { header: 'bytes', align: 'right' },
    ],
    tensors.map(({ name, scheme, shape, bytes }) => [
      name,
      scheme,
      shape.join(' x '),
      formatBytes(bytes),
      formatCount(bytes),
    ]),
    theme.dim,
  );
}
