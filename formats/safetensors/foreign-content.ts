import { LFS_POINTER_HINT, LFS_POINTER_START } from '../../src/io/git-lfs.ts';

/** First bytes, as Latin-1, of what people have in place of safetensors. */
const FOREIGN: readonly { readonly start: readonly string[]; readonly what: string }[] = [
  { start: [LFS_POINTER_START], what: LFS_POINTER_HINT },
  { start: ['PK\x03\x04'], what: 'this is a zip archive, as torch.save writes as pytorch_model.bin' },
  {
    start: ['\x80\x02', '\x80\x03', '\x80\x04', '\x80\x05'],
    what: 'this is a bare pickle, which is not read; convert it to safetensors',
  },
  { start: ['GGUF'], what: 'this is a GGUF file' },
  { start: ['<!doctype', '<!DOCTYPE', '<html'], what: 'this is an HTML page, as failed downloads leave' },
];

/** What a file that is not safetensors seems to be; undefined where its first bytes do not tell. */
export function foreignContent(bytes: Uint8Array): string | undefined {
  const text = Buffer.from(bytes.subarray(0, 64)).toString('latin1');
  return FOREIGN.find(({ start }) => start.some((magic) => text.startsWith(magic)))?.what;
}
