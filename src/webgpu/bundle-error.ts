/** Errors of bundles. Callers that show them to people may switch on `code`. */
export type BundleErrorCode =
  /** The browser or machine has no WebGPU, or less of it than the bundle needs. */
  | 'unsupported'
  /** The bundle is not what it says, or of a version that this runtime does not know. */
  | 'invalid-bundle'
  /** The bundle, or a part of it, could not be fetched. */
  | 'network'
  /** The GPU has too little memory. */
  | 'out-of-memory'
  /** What is asked for cannot be done: more tokens than the context holds, ids that do not exist. */
  | 'usage'
  /** The model computes what an intact one does not. */
  | 'wrong-results';

export class BundleError extends Error {
  readonly code: BundleErrorCode;

  constructor(code: BundleErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'BundleError';
    this.code = code;
  }
}
