import { ONNX_SCHEMES } from '../../formats/onnx/schemes.ts';
import { isRepository } from '../core/hub-origin.ts';
import type { ModelCard } from '../core/model.ts';
import { shellWord } from '../core/text/format.ts';
import { escapeMarkdown, markdownAddress, markdownBlock, markdownCode } from '../core/text/markdown-text.ts';
import { yamlScalar } from '../core/text/yaml-text.ts';
import { HUB_ENDPOINT } from '../hub/settings.ts';
import { openedPath } from './artifacts/artifact-file.ts';
import { type FormatName, targetFormat } from './formats/index.ts';
import { MANIFEST_NAME, type Manifest, type ManifestArtifact } from './record/manifest.ts';

/** By which a card that this made is told from one that people wrote. */
export const CARD_MARK = '<!-- written by plmpress push; remove this line to keep what you change -->';

export interface CardOptions {
  readonly manifest: Manifest;
  /** Who made the source, as far as its artifact says. */
  readonly source: ModelCard;
  /** `org/name` that the card is for. */
  readonly repository: string;
  /** `org/name` of the model that the artifacts are of; left out: as the manifest says, if it does. */
  readonly baseModel?: string;
}

/**
 * README.md of a repository of artifacts: front matter as the Hub reads it, what there is, how it was made
 * and runs.
 */
export function modelCard(options: CardOptions): string {
  const { manifest, repository } = options;
  const base = baseModelOf(options);
  const [first] = manifest.artifacts;
  const name = first?.source.name ?? repository.split('/')[1]!;
  const of = base === undefined ? escapeMarkdown(name) : `[${base}](${HUB_ENDPOINT}/${base})`;
  return `${[
    ...frontMatter(options, base),
    CARD_MARK,
    '',
    `# ${escapeMarkdown(name)} for small devices`,
    '',
    `${of}, a Peripheral Language Model (arXiv 2503.12167), as ${formats(manifest)}.`,
    '',
    ...fileTable(manifest),
    '',
    '## How to run it',
    '',
    ...runSections(manifest, repository),
    '## How it was made',
    '',
    ...provenance(manifest),
  ].join('\n')}\n`;
}

/** The base model: from the user, the record, or else the card of the source, if that names a repository. */
export function baseModelOf({ manifest, source, baseModel }: CardOptions): string | undefined {
  return (
    baseModel ??
    manifest.artifacts.find(({ source }) => source.origin)?.source.origin?.repository ??
    source.baseModels?.find(isRepository)
  );
}

/** What cards call the formats, in the order in which they show them. */
const TITLES: Readonly<Record<FormatName, string>> = { gguf: 'GGUF', onnx: 'ONNX', webgpu: 'WebGPU bundle' };

function formatsOf({ artifacts }: Manifest): FormatName[] {
  const present = new Set(artifacts.map(({ target }) => targetFormat(target)));
  return (Object.keys(TITLES) as FormatName[]).filter((format) => present.has(format));
}

function formats(manifest: Manifest): string {
  return formatsOf(manifest)
    .map((format) => TITLES[format])
    .join(', ');
}

/** `library_name` decides what code the Hub shows; it knows no name for bundles. */
const LIBRARIES: readonly [format: FormatName, library: string][] = [
  ['gguf', 'gguf'],
  ['onnx', 'transformers.js'],
];

function frontMatter({ manifest, source, repository }: CardOptions, base: string | undefined): string[] {
  const present = formatsOf(manifest);
  const weighed = manifest.artifacts.some(({ options }) => options.imatrix ?? options.statistics);
  const library = LIBRARIES.find(([format]) => present.includes(format))?.[1];
  const tags = ['plm', ...present, ...(weighed ? ['imatrix'] : []), 'quantized', 'edge'];
  const { licenseLink, languages, datasets } = source;
  return [
    '---',
    ...licence(source),
    ...yaml('license_link', licenseAddress(licenseLink)),
    ...yaml('language', languages?.filter(isWord)),
    ...yaml('base_model', base),
    ...(base === undefined ? [] : yaml('base_model_relation', 'quantized')),
    ...yaml('library_name', library),
    ...yaml('pipeline_tag', 'text-generation'),
    ...yaml(
      'datasets',
      datasets?.filter((id) => isWord(id) || isRepository(id)),
    ),
    ...yaml('tags', tags),
    ...yaml('quantized_by', repository.split('/')[0]),
    '---',
  ];
}

function yaml(key: string, value: string | readonly string[] | undefined): string[] {
  if (value === undefined || value.length === 0) return [];
  if (typeof value === 'string') return [`${key}: ${yamlScalar(value)}`];
  return [`${key}:`, ...value.map((item) => `- ${yamlScalar(item)}`)];
}

/** The Hub knows licences by ids, and all others as `other` with a name. */
function licence({ license, licenseName }: ModelCard): string[] {
  const isKnown = license === undefined || isWord(license);
  const names = isKnown ? [licenseName] : [licenseName, license];
  return [
    ...yaml('license', isKnown ? license : 'other'),
    ...yaml(
      'license_name',
      names.find((name) => name !== undefined && isPhrase(name)),
    ),
  ];
}

/** Whether `text` is a plain name, without any syntax of Markdown or HTML. */
function isPhrase(text: string): boolean {
  return /^[\p{L}\p{N}](?!.*:\/)[\p{L}\p{M}\p{N} .,:/+_-]{0,95}$/u.test(text);
}

/**
 * Whether `text` can be an id, as those of licences, languages and datasets. The Hub takes no commit with
 * another.
 */
function isWord(text: string): boolean {
  return /^[A-Za-z0-9][\w.+-]{0,95}$/.test(text);
}

/**
 * The place of a licence: a web address or a file of the repository. Any other link, such as `javascript:`,
 * is left out.
 */
function licenseAddress(text: string | undefined): string | undefined {
  return text !== undefined && /^(https?:\/\/[^\s\p{C}]+|[\w.-]+(\/[\w.-]+)*)$/u.test(text)
    ? text
    : undefined;
}

function fileTable(manifest: Manifest): string[] {
  const rows = manifest.artifacts.map((artifact) => {
    const { verification } = artifact;
    return [
      link(artifact),
      escapeMarkdown(artifact.target.split(':')[1]!.toUpperCase()),
      bytesOf(manifest, artifact).toLocaleString('en-US'),
      bitsPerWeight(artifact).toFixed(2),
      verification?.meanKld.toPrecision(3) ?? '',
      verification === undefined ? '' : `${(100 * verification.top1).toFixed(2)} %`,
    ];
  });
  const tokens = manifest.artifacts.find(({ verification }) => verification)?.verification?.tokens;
  return [
    '| file | scheme | bytes | bits per weight | mean KLD | top-1 |',
    '|---|---|---:|---:|---:|---:|',
    ...rows.map((row) => `| ${row.join(' | ')} |`),
    ...(tokens === undefined
      ? []
      : [
          '',
          `Mean KL divergence of next-token distributions from the source in nats, and how often both agree, over ${tokens.toLocaleString('en-US')} tokens.`,
        ]),
  ];
}

function link(artifact: ManifestArtifact): string {
  const opened = openedPath(artifact);
  const shown = artifact.files.includes(opened) ? opened : `${opened}/`;
  return `[${escapeMarkdown(shown)}](${markdownAddress(shown)})`;
}

function bytesOf({ files }: Manifest, artifact: ManifestArtifact): number {
  const own = new Set(artifact.files);
  return files.reduce((sum, file) => sum + (own.has(file.path) ? file.bytes : 0), 0);
}

function bitsPerWeight({ tensors }: ManifestArtifact): number {
  const weights = tensors.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
  return (8 * tensors.reduce((sum, { bytes }) => sum + bytes, 0)) / weights;
}

function runSections(manifest: Manifest, repository: string): string[] {
  const first = (format: FormatName) =>
    manifest.artifacts.find(({ target }) => targetFormat(target) === format);
  const [gguf, onnx, webgpu] = [first('gguf'), first('onnx'), first('webgpu')];
  return [
    ...(gguf ? ggufSection(gguf, repository) : []),
    ...(onnx ? onnxSection(onnx, repository) : []),
    ...(webgpu ? webgpuSection(webgpu, repository) : []),
  ];
}

function code(language: string, ...lines: string[]): string[] {
  return [...markdownBlock(language, lines), ''];
}

function ggufSection(artifact: ManifestArtifact, repository: string): string[] {
  const isLatent = artifact.options.ggufArch === 'deepseek2';
  const note = isLatent
    ? 'With llama.cpp:'
    : 'With llama.cpp. Flash attention must be off, as its architecture `plm` aborts with it:';
  const off = isLatent ? '' : ' -fa off';
  return [
    note,
    '',
    ...code('sh', `llama-cli --hf-repo ${repository} --hf-file ${shellWord(openedPath(artifact))}${off}`),
  ];
}

function onnxSection(artifact: ManifestArtifact, repository: string): string[] {
  const { scheme } = artifact.options;
  const dtype = ONNX_SCHEMES.find(({ name }) => name === scheme)?.dtype ?? 'auto';
  return [
    'With [transformers.js](https://huggingface.co/docs/transformers.js), in Node or a browser; ONNX Runtime loads the same graph:',
    '',
    ...code(
      'js',
      "import { pipeline } from '@huggingface/transformers';",
      `const generator = await pipeline('text-generation', '${repository}', { dtype: '${dtype}' });`,
      "const [answer] = await generator('Call me', { max_new_tokens: 32 });",
    ),
  ];
}

function webgpuSection(artifact: ManifestArtifact, repository: string): string[] {
  const folder = openedPath(artifact);
  return [
    `In a browser with WebGPU: ${markdownCode(`${folder}/`)} is a whole site for any static host, with a chat page. On your machine:`,
    '',
    ...code(
      'sh',
      `npx plmpress pull ${shellWord(`hf://${repository}/${folder}`)} -o ${repository.split('/')[1]}`,
      `npx plmpress serve ${shellWord(`${repository.split('/')[1]}/${folder}`)}`,
    ),
  ];
}

function provenance(manifest: Manifest): string[] {
  const made = manifest.artifacts.map((artifact) => {
    const { target, version, source, options, passes } = artifact;
    const from = source.origin
      ? `${source.origin.repository} at ${source.origin.revision}`
      : escapeMarkdown(source.name);
    const facts = [
      ...Object.entries(options)
        .filter(([key, value]) => !['recipe', 'scheme'].includes(key) && !Array.isArray(value))
        .map(([key, value]) => `${key} ${value}`),
      ...passes.map((pass) => `pass ${pass}`),
    ].map(escapeMarkdown);
    const how = facts.length === 0 ? '' : ` (${facts.join(', ')})`;
    return `- ${markdownCode(target)} with plmpress ${escapeMarkdown(version)} from ${from}${how}`;
  });
  const [first] = manifest.artifacts;
  const source = first?.source.origin === undefined ? ' --from SOURCE' : '';
  return [
    ...made,
    '',
    `\`${MANIFEST_NAME}\` records the hashes of the source, of every file and of every tensor, and all options. To make the same bytes again:`,
    '',
    ...code('sh', `npx plmpress reproduce ${MANIFEST_NAME}${source}`),
    '<details><summary>Checksums, as <code>sha256sum -c</code> reads them</summary>',
    '',
    ...code('', ...manifest.files.map(({ path, sha256 }) => `${sha256}  ${path}`)),
    '</details>',
  ];
}
