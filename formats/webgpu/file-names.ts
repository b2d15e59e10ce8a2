/** Files of every bundle, beside the weights and the runtime. */
export const MANIFEST_FILE = 'manifest.json';
export const VOCABULARY_FILE = 'vocabulary.json';
