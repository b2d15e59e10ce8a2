import { staleRows } from './changed-since.ts';
import { documents, figuresOf, measured, mismatch, nameOf } from './check.ts';
import type { Mark } from './figures.ts';

/**
 * `npm run claims [-- WORD…]`: compares the figures of the documents with their sources, those that take
 * seconds or minutes included; with words, those whose document or mark has one of them. Exit code 1 where a
 * figure does not hold or has no source.
 */
const words = process.argv.slice(2);
let held = 0;
let failures = 0;
for (const document of documents()) {
  const { marks, loose } = figuresOf(document);
  for (const mark of marks) {
    const name = `${document}:${mark.line} ${nameOf(mark)}`;
    if (words.length > 0 && !words.some((word) => name.includes(word))) continue;
    const wrong = await wrongWith(mark);
    if (wrong === undefined) held += mark.figures.length;
    else failures++;
    const figures = mark.figures.map(({ text }) => text).join(' ');
    process.stdout.write(`${name.padEnd(80)} ${wrong === undefined ? figures : `FAILS: ${wrong}`}\n`);
  }
  for (const { text, line } of loose) {
    failures++;
    process.stdout.write(`${document}:${line} FAILS: ${text} has no source\n`);
  }
}
for (const line of staleRows()) process.stdout.write(`warning: ${line}\n`);
process.stdout.write(`${held} figures hold, ${failures} fail\n`);
process.exitCode = failures === 0 ? 0 : 1;

async function wrongWith(mark: Mark): Promise<string | undefined> {
  try {
    return mismatch(mark, await measured(mark));
  } catch (error) {
    return (error as Error).message;
  }
}
