import { holds, stated } from './claim.ts';
import { CLAIMS } from './index.ts';

/** `npm run claims`: measures what documents state and takes seconds to measure; exit code 1 where one does not hold. */
let failures = 0;
for (const claim of CLAIMS) {
  try {
    const { text, figures } = stated(claim);
    const measured = await claim.measure();
    const wrong = figures.findIndex((figure, index) => !holds(figure, measured[index]!, claim.tolerance));
    const words = text.replace(/\s+/g, ' ').slice(0, 70);
    const verdict =
      wrong < 0 ? 'holds' : `FAILS: ${figures[wrong]}, measured ${measured[wrong]!.toPrecision(6)}`;
    if (wrong >= 0) failures++;
    process.stdout.write(`${claim.file.padEnd(24)} ${words.padEnd(72)} ${verdict}\n`);
  } catch (error) {
    failures++;
    process.stdout.write(`${claim.file.padEnd(24)} ${(error as Error).message}\n`);
  }
}
process.stdout.write(`${CLAIMS.length - failures} claims hold, ${failures} fail\n`);
process.exitCode = failures === 0 ? 0 : 1;
