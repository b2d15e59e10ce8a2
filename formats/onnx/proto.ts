import pkg from 'onnx-proto';

/**
 * Messages of onnx.proto, as the package writes them. It is CommonJS: only its default import exists at run
 * time.
 */
export const { onnx } = pkg;
