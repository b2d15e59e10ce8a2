import safetensors from 'safetensors';

/**
 * The bytes of every tensor of a well-formed file, as the npm package `safetensors` cuts them. The package
 * cannot read `__metadata__` and takes a view for its whole buffer, so it reads a copy without that key.
 */
export function tensorsByPackage(content: Uint8Array): ReadonlyMap<string, Uint8Array> {
  const length = Number(new DataView(content.buffer, content.byteOffset).getBigUint64(0, true));
  const text = new TextDecoder().decode(content.subarray(8, 8 + length));
  const { __metadata__: _, ...tensors } = JSON.parse(text);
  const copy = new Uint8Array(content);
  // Offsets count from the end of the header, so that it keeps its length.
  copy.fill(0x20, 8, 8 + length);
  copy.set(new TextEncoder().encode(JSON.stringify(tensors)), 8);
  const opened = new safetensors.SafeTensor(copy);
  return new Map(Object.keys(tensors).map((name) => [name, opened.getTensor(name)]));
}
