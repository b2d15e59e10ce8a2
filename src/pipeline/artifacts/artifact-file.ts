import path from 'node:path';
import { invalidInput, unsupported } from '../../core/errors.ts';
import { MANIFEST_NAME, type ManifestArtifact } from '../record/manifest.ts';

/** Files beside ONNX graphs that loaders read. */
const COMPANIONS =
  /^(config|generation_config|plm_config|genai_config|tokenizer|tokenizer_config|special_tokens_map|chat_template)\.json$|^chat_template\.jinja$|^additional_chat_templates\/[\w-][\w.-]*\.jinja$/;

/** What files of each format are called, from the output folder on. None is hidden. */
const NAMES: Readonly<Record<string, readonly RegExp[]>> = {
  gguf: [/^[^./][^/]*\.gguf$/],
  onnx: [/^onnx\/\w[\w.-]*\.onnx(_data(_\d+)?)?$/, COMPANIONS],
  webgpu: [/^[\w-][\w.-]*\/\w[\w.-]*\.(bin|css|html|js|json)$/],
};

/** The ending of the file that readers open; for a bundle, its page. */
const MAIN: Readonly<Record<string, string>> = { gguf: '.gguf', onnx: '.onnx', webgpu: '/index.html' };

/**
 * What a reader opens of an artifact, by its path in the output folder: its file, or the folder of a bundle.
 * @throws PressError invalid-input where the record names none.
 */
export function openedPath({ target, files }: ManifestArtifact): string {
  const format = formatOf(target);
  const file = files.find((name) => name.endsWith(MAIN[format]!));
  if (file === undefined) {
    throw invalidInput({ file: MANIFEST_NAME, field: target, what: `no file ends in ${MAIN[format]}` });
  }
  return format === 'webgpu' ? path.posix.dirname(file) : file;
}

/** @throws PressError unsupported for a format that this version does not know. */
function formatOf(target: string): string {
  const format = target.slice(0, target.indexOf(':'));
  if (Object.hasOwn(NAMES, format)) return format;
  throw unsupported({ file: MANIFEST_NAME, field: target, what: 'this version knows no such format' });
}

/**
 * Checks that a record names only files that an artifact of its format can have. Otherwise a forged record
 * could have any file of the folder, such as `.env`, sent to the Hub.
 * @throws PressError invalid-input for another file; unsupported for a format that this version does not
 * know.
 */
export function assertOwnFiles({ target, files }: ManifestArtifact): void {
  const format = formatOf(target);
  const other = files.find((file) => !NAMES[format]!.some((name) => name.test(file)));
  if (other === undefined) return;
  const what = `artifacts of ${format} have no such file, so it is not sent`;
  throw invalidInput({ file: MANIFEST_NAME, field: target, what, got: other });
}
