import path, { posix } from 'node:path';
import { onnxPasses } from '../../../formats/onnx/architecture.ts';
import { planOnnx } from '../../../formats/onnx/export.ts';
import { GRAPH_FOLDER } from '../../../formats/onnx/folder/graph-file.ts';
import { firstNameOf, graphOf, graphPlace, graphsAmong } from '../../../formats/onnx/import/locate.ts';
import { openOnnx, readOnnxModel } from '../../../formats/onnx/import/open.ts';
import { ONNX_SCHEMES, onnxSchemeNamed } from '../../../formats/onnx/schemes.ts';
import { VERSION } from '../version.ts';
import type { Format } from './format.ts';
import { isWeightsFile } from './weights-file.ts';

/** Files beside graphs that loaders read. */
const COMPANIONS =
  /^(config|generation_config|plm_config|genai_config|tokenizer|tokenizer_config|special_tokens_map|chat_template)\.json$|^chat_template\.jinja$|^additional_chat_templates\/[\w-][\w.-]*\.jinja$/;

export const ONNX: Format = {
  reads: ['onnx'],
  locate: ({ entries, folders }) => graphsAmong([...entries], [...(folders.get(GRAPH_FOLDER) ?? [])]),
  isModelFile: (name) => /\.onnx$/i.test(name),
  // Config and tokenizer.
  shareFiles: true,
  filesOf: (files, paths) => {
    const byFirstName = ({ dir, base }: { readonly dir: string; readonly base: string }) =>
      posix.join(dir, firstNameOf(base));
    const graphs = new Set(paths.map((file) => byFirstName(posix.parse(file))));
    const folders = new Set(paths.map((file) => posix.parse(file).dir));
    const roots = new Set(paths.map((file) => graphPlace(file, posix).root));
    const listed = new Set(files.map((file) => file.path));
    return files.filter((file) => {
      const { dir, base } = posix.parse(file.path);
      if (!folders.has(dir)) return roots.has(dir) && !isWeightsFile(base);
      const owner = graphOf(base);
      if (owner === undefined || !listed.has(posix.join(dir, owner))) return true;
      return graphs.has(byFirstName({ dir, base: owner }));
    });
  },
  open: openOnnx,
  read: ({ folderAt }, file) => {
    const { root, graph } = graphPlace(file, posix);
    return readOnnxModel(folderAt(root), graph);
  },
  rootOf: (place) => {
    const { root, graph } = graphPlace(path.resolve(place));
    return { folder: root, path: graph };
  },
  holdsHashes: false,
  holdsNormalizer: true,
  streams: false,

  kind: 'scheme',
  named: (scheme) => onnxSchemeNamed(scheme).name,
  names: ONNX_SCHEMES.map(({ name }) => name),
  options: ['cache', 'quality', 'shardSize'],
  unrecorded: [],
  passes: (model, { cache = 'latent' }) => onnxPasses(model, cache),
  plan: (model, scheme, options) => planOnnx(model, { scheme, version: VERSION, ...options }),
  fileNames: [/^onnx\/\w[\w.-]*\.onnx(_data(_\d+)?)?$/, COMPANIONS],
  mainFile: '.onnx',
  opens: 'file',
  holdsFiring: false,
  cacheOf: ({ cache }) => (cache === 'expanded' ? 'expanded' : 'latent'),
};
